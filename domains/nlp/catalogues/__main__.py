"""`python -m domains.nlp.catalogues`."""

from domains.nlp.catalogues import main

main()
