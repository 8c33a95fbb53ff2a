"""Exercise checks, one module a chapter; imported by id from `causalrec_lib.course.check`."""
