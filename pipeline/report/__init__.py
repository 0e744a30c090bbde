"""The report page: its sections, its blocks, the sample grid."""
