"""pydantic models to structural CustomResourceDefinitions.

Invariant: a CRD is a function of the kind's `RESOURCE` alone; what is committed under `crds/` is what this
package writes.
"""
