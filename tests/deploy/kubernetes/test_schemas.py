"""Both overlays held against the schemas of the kinds."""

from __future__ import annotations

import pytest

from tests.deploy.kubernetes.manifests import CRDS, VERSIONS, Documents, rendered, secret_examples

kubernetes_validate = pytest.importorskip("kubernetes_validate")


@pytest.mark.parametrize("version", VERSIONS)
def test_fits_the_schemas_of_kubernetes(documents: Documents, version: str):
    checked = [document for document in documents if document["kind"] not in (*CRDS, "HTTPRoute")]
    assert len(checked) >= 9
    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)


def test_fits_the_schemas_of_the_prometheus_operator():
    # Generated from the operator's CRDs; they let unknown fields pass, so what went in
    # is compared with what was understood.
    models = pytest.importorskip("cloudcoil.models.prometheus_operator.v1")
    found = [document for document in rendered("production") if document["kind"] in CRDS]
    assert sorted(document["kind"] for document in found) == sorted(CRDS)
    for document in found:
        model = getattr(models, document["kind"]).model_validate(document)
        assert model.model_dump(by_alias=True, exclude_unset=True, mode="json") == document


def test_the_secret_example_fits_its_schema():
    for document in secret_examples().values():
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
