"""The ONNX graph of every kind of head gives what the head gives, from the same bytes each time."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from corekit.learning.head import Head, MeanHead, RidgeHead, Scaling, SvrHead, pack, unpack
from corekit.learning.mlp import fit_mlp_v1
from corekit.learning.onnx_model import onnx_bytes

FEATURES = ("adm2_mean", "vif_scale0_mean", "width")
RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(200, 3)) * (0.1, 5.0, 900.0) + (0.9, 1.0, 1500.0)
Y = 3.0 + np.tanh(X[:, 0]) - 0.2 * X[:, 1]


def ridge() -> RidgeHead:
    return RidgeHead(Scaling.standard(X), np.array([0.5, -0.25, 2.0]), 3.0)


def svr(scaling: Scaling) -> SvrHead:
    return SvrHead(scaling, scaling(X), RANDOM.normal(size=200) * 700.0, 0.3, 3.0)


HEADS: dict[str, Head] = {
    "ridge": ridge(),
    "svr": svr(Scaling.min_max(X)),
    "robust svr": svr(Scaling.robust(X)),
    "mlp": fit_mlp_v1(X, Y, None, 1)[0],
    "mean": MeanHead((ridge(), svr(Scaling.robust(X)))),
}


def run(content: bytes, x: np.ndarray, output: str = "mos") -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([output], {"features": x.astype(np.float32)})[0])


@pytest.mark.parametrize("name", HEADS)
def test_the_graph_gives_what_the_head_gives(name: str) -> None:
    content = onnx_bytes(HEADS[name], features=FEATURES, output="mos", fill=None, metadata={})
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    extreme = np.array([[1e6, -1e6, 0.0], [0.0, 0.0, 0.0], [-3e4, 1e-9, 1e7]])
    x = np.vstack([X, extreme]).astype(np.float32)
    expected = HEADS[name].predict(x.astype(np.float64))
    np.testing.assert_allclose(run(content, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_equal_heads_are_equal_bytes(name: str) -> None:
    one, two = (
        onnx_bytes(HEADS[name], features=FEATURES, output="mos", fill=X[0], metadata={"b": "2", "a": "1"}) for _ in "ab"
    )
    assert one == two


def test_a_missing_feature_is_filled_inside() -> None:
    fill = np.array([0.5, 1.0, 1920.0])
    content = onnx_bytes(ridge(), features=FEATURES, output="mos", fill=fill, metadata={})
    x = np.array([[np.nan, 2.0, np.nan]])
    np.testing.assert_allclose(run(content, x), ridge().predict(np.array([[0.5, 2.0, 1920.0]])), rtol=1e-6)


def test_the_file_names_its_inputs_in_order() -> None:
    content = onnx_bytes(ridge(), features=FEATURES, output="vmaf", fill=None, metadata={"model_id": "m"})
    model = onnx.load_from_string(content)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties == {"feature_names": '["adm2_mean", "vif_scale0_mean", "width"]', "model_id": "m"}
    assert [model.graph.input[0].name, model.graph.output[0].name] == ["features", "vmaf"]
    assert model.opset_import[0].version >= 17


@pytest.mark.parametrize("name", HEADS)
def test_a_packed_head_is_the_same_head(name: str) -> None:
    described, tensors = pack(HEADS[name])
    np.testing.assert_array_equal(unpack(described, tensors).predict(X), HEADS[name].predict(X))
