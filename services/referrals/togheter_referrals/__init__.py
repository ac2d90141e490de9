"""The referrals service of TOGHETER."""
