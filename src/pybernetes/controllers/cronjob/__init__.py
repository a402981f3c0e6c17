"""CronJobs: make Jobs when they are due.

Owns: the Jobs of a CronJob, how many finished ones are kept, and the CronJob's status.
Receives from: informers of CronJobs and Jobs; the clock.
Sends to: the API server, through client.
Never: makes more than one Job for one moment.
"""
