"""The command `togheter-reporting`."""

from togheter_shared.run.cli import command_line

main = command_line(
    "togheter_reporting.service:SERVICE",
    "togheter_reporting.web:ReportingWeb",
    extra=(
        "togheter_reporting.commands:migrate",
        "togheter_reporting.commands:rebuild",
        "togheter_reporting.commands:verify",
        "togheter_reporting.release_commands:release",
        "togheter_reporting.frozen_commands:as_of",
        "togheter_reporting.frozen_commands:freeze",
        "togheter_reporting.frozen_commands:frozen",
        "togheter_reporting.frozen_commands:prove",
        "togheter_reporting.frozen_commands:behind",
        "togheter_reporting.schedule_commands:schedule",
        "togheter_reporting.part_commands:log",
    ),
)

if __name__ == "__main__":
    main()
