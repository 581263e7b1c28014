"""Who changed what: append-only and hash-chained; checked, and anchored outside of the database."""

from trialsight_serving.store.audit.chain import START as START
from trialsight_serving.store.audit.chain import AuditEntry as AuditEntry
from trialsight_serving.store.audit.chain import Head as Head
from trialsight_serving.store.audit.chain import entries as entries
from trialsight_serving.store.audit.chain import heads as heads
from trialsight_serving.store.audit.chain import named as named
from trialsight_serving.store.audit.chain import operator as operator
from trialsight_serving.store.audit.chain import record as record
