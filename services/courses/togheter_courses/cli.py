"""The command `togheter-courses`, which imports what it needs only when it is called."""

from togheter_shared.run.cli import command_line

main = command_line(
    "togheter_courses.service:SERVICE",
    "togheter_courses.web:CoursesWeb",
    extra=("togheter_courses.offers:expire_offers",),
)

if __name__ == "__main__":
    main()
