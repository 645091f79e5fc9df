"""Cohort Studio's engine: from a source of real patients to a synthetic cohort that may be shared."""
