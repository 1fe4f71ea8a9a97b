"""Pages of runs and studies: self-contained HTML files that open from disk."""
