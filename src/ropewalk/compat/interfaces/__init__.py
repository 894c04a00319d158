"""The interfaces that programs are written against: names, signatures and promises."""
