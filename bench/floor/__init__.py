"""The smallest memory in which a workload still becomes ready and answers: by bisection, confirmed, every try kept."""
