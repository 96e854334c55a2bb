"""Python applications behind WSGI (PEP 3333): their environ, their threads, their answers."""
