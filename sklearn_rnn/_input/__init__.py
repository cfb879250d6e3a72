"""What users pass, read into arrays or refused with a message that names the argument."""
