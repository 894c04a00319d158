"""What is to happen where two changes of one record meet."""
