"""Figures of hidden nodes beside a teacher's, of records that tell of them."""
