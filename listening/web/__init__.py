"""Pages, forms and the API of studies, with access control."""
