"""The bundled service under test."""
