"""The command `togheter-intake`."""

from togheter_shared.run.cli import command_line

main = command_line(
    "togheter_intake.service:SERVICE",
    "togheter_intake.web:IntakeWeb",
    extra=("togheter_intake.commands:import_register", "togheter_intake.commands:doors"),
)
main.add_command(main.commands.pop("import-register"), "import")  # no function can have that name

if __name__ == "__main__":
    main()
