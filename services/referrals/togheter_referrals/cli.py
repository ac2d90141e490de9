"""The command `togheter-referrals`."""

from togheter_shared.run.cli import command_line

main = command_line("togheter_referrals.service:SERVICE", "togheter_referrals.web:ReferralsWeb")

if __name__ == "__main__":
    main()
