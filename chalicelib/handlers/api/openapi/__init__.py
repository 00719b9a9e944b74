"""The API's document: OpenAPI 3.1, made of the routes and the types that they check and answer with."""
