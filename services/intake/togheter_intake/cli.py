"""The command `togheter-intake`."""

from togheter_shared.run.cli import command_line

main = command_line(
    "togheter_intake.service:SERVICE",
    "togheter_intake.web:IntakeWeb",
    extra=(
        "togheter_intake.commands:import_register",
        "togheter_intake.commands:doors",
        "togheter_intake.commands:reindex_people",
    ),
)
main.add_command(main.commands.pop("import-register"), "import")  # no function can have that name
main.add_command(main.commands.pop("reindex-people"), "reindex")

if __name__ == "__main__":
    main()
