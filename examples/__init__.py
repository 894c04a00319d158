"""Programs that use Ropewalk as theirs would."""
