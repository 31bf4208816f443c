"""Work in the background: the job queue, the pipeline, the benchmark."""
