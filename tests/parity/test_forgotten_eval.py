"""What notebook 01 says of a forgotten eval(): which frameworks let held-out examples into the running averages."""

import numpy as np
import pytest

X = np.random.default_rng(0).normal(3, 2, size=(16, 4)).astype("float32")


def test_pytorch_writes_until_somebody_turns_the_switch():
    torch = pytest.importorskip("torch")
    layer = torch.nn.BatchNorm1d(4)
    with torch.no_grad():
        layer(torch.from_numpy(X))
    written = layer.running_mean.numpy().copy()
    np.testing.assert_allclose(written, 0.1 * X.mean(axis=0), rtol=1e-5)
    layer.eval()(torch.from_numpy(X))
    np.testing.assert_array_equal(layer.running_mean.numpy(), written)


def test_nnx_writes():
    nnx = pytest.importorskip("flax.nnx")
    layer = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    layer(X)
    np.testing.assert_allclose(np.asarray(layer.mean[...]), 0.01 * X.mean(axis=0), rtol=1e-4)


def test_linen_raises_unless_it_is_asked_to_write():
    linen = pytest.importorskip("flax.linen")
    jax = pytest.importorskip("jax")
    errors = pytest.importorskip("flax.errors")
    layer = linen.BatchNorm(use_running_average=False)
    variables = layer.init(jax.random.key(0), X)
    with pytest.raises(errors.ModifyScopeVariableError):
        layer.apply(variables, X)
    _, written = layer.apply(variables, X, mutable=["batch_stats"])
    np.testing.assert_allclose(np.asarray(written["batch_stats"]["mean"]), 0.01 * X.mean(axis=0), rtol=1e-4)


# Keras' own evaluate meets it, in torch's pytree.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_keras_writes_for_training_true_alone(monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="Keras needs a backend, and the other tests of Keras take this one")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # Keras writes a file there when it is first imported
    keras = pytest.importorskip("keras")
    layer = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.layers.Input((4,)), layer])
    model.compile(loss="mse")

    def moving_mean():
        return keras.ops.convert_to_numpy(layer.moving_mean)

    model.evaluate(X, X, verbose=0)
    model.predict(X, verbose=0)
    model(X)
    assert np.abs(moving_mean()).max() == 0
    model(X, training=True)
    np.testing.assert_allclose(moving_mean(), 0.01 * X.mean(axis=0), rtol=1e-4)
