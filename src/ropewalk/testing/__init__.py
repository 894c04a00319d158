"""Published contract suites that prove a backend, a layer or a codec right."""
