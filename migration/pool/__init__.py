"""The pool: what lies in the shared folder, who owns it, and how it is read without trust."""
