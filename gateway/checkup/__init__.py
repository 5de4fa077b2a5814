"""What `doctor` looks at, one part in each module; a fault is told with what to mend."""
