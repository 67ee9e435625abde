/* The note is data only: nothing to declare. */
