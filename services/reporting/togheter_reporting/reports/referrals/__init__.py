"""Referrals between organisations."""
