"""The command `togheter-courses`."""

from togheter_shared.run.cli import command_line

main = command_line("togheter_courses.service:SERVICE", "togheter_courses.web:CoursesWeb")

if __name__ == "__main__":
    main()
