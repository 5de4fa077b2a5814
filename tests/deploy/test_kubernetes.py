"""The manifests as `kubectl apply -k` would send them, against Kubernetes' own schemas."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.names import secret_settings
from tests.deploy.tools import DEPLOY, Tools

KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ("1.31", "1.37")
LONGEST_WAIT = 300  # GATEWAY_REGISTRATION_WAIT at its most
SLACK = 15  # seconds to close connections and clients after the last upload
SHAPES = ("base", "aws", "aws with everything")
EVERYTHING = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../aws]
components: [../../components/s3-keys, ../../components/monitoring]
"""


@pytest.fixture(scope="module")
def texts(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `kubectl apply -k` would send, for each shape."""
    copied = tmp_path_factory.mktemp("kubernetes") / "all"
    shutil.copytree(KUBERNETES, copied)
    everything = copied / "overlays" / "everything"
    everything.mkdir()
    (everything / "kustomization.yaml").write_text(EVERYTHING)
    directories = (copied / "base", copied / "overlays" / "aws", everything)
    rendered = (tools.run("kubectl", "kustomize", str(directory)) for directory in directories)
    return dict(zip(SHAPES, rendered, strict=True))


@pytest.fixture(scope="module")
def shapes(texts: dict[str, str], tools: Tools) -> dict[str, list[Any]]:
    return {shape: tools.documents(text) for shape, text in texts.items()}


@pytest.fixture(params=SHAPES)
def objects(request: pytest.FixtureRequest, shapes: dict[str, list[Any]]) -> list[Any]:
    return shapes[request.param]


@pytest.fixture
def deployments(objects: list[Any]) -> dict[str, Any]:
    return {_component(found): found for found in objects if found["kind"] == "Deployment"}


@pytest.fixture
def settings(objects: list[Any]) -> dict[str, str]:
    (found,) = [found["data"] for found in objects if found["kind"] == "ConfigMap"]
    values: dict[str, str] = found
    return values


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_matches_its_schema(
    texts: dict[str, str], tools: Tools, version: str, tmp_path: Path
) -> None:
    for shape, text in texts.items():
        known = [one for one in text.split("\n---\n") if "monitoring.coreos.com" not in one]
        (tmp_path / f"{shape}.yaml").write_text("\n---\n".join(known))
    files = map(str, tmp_path.iterdir())
    tools.run("kubernetes-validate", "--strict", "-k", version, *files)


def test_an_object_that_violates_its_schema_is_found(tools: Tools, tmp_path: Path) -> None:
    """In the second file too."""
    whole, wrong = KUBERNETES / "base" / "account.yaml", tmp_path / "wrong.yaml"
    wrong.write_text(whole.read_text().replace("automountServiceAccountToken", "automount"))
    with pytest.raises(AssertionError, match="automount"):
        tools.run("kubernetes-validate", "--strict", "-k", VERSIONS[0], str(whole), str(wrong))


def test_gateway_workers_and_beat_have_separate_deployments(deployments: dict[str, Any]) -> None:
    assert deployments.keys() == {"gateway", "worker", "beat"}
    beat = deployments["beat"]["spec"]
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})


def test_pods_have_no_rights(deployments: dict[str, Any]) -> None:
    for deployment in deployments.values():
        pod = _pod(deployment)
        assert not pod["automountServiceAccountToken"]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert _container(deployment)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_a_service_cannot_set_our_settings(deployments: dict[str, Any]) -> None:
    assert all(_pod(found)["enableServiceLinks"] is False for found in deployments.values())


def test_secrets_are_only_named(
    objects: list[Any], deployments: dict[str, Any], settings: dict[str, str]
) -> None:
    assert "Secret" not in {found["kind"] for found in objects}
    assert secret_settings().isdisjoint(settings)
    for deployment in deployments.values():
        container = _container(deployment)
        files = {value for name, value in settings.items() if name.endswith("_FILE")}
        files |= {variable["value"] for variable in container.get("env", ())}
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert all(file.rpartition("/")[0] in mounts for file in files)


def test_a_pod_may_take_as_long_to_stop_as_the_gateway(
    deployments: dict[str, Any], settings: dict[str, str]
) -> None:
    delay = float(settings["GATEWAY_DRAIN_DELAY"])
    drain = float(settings["GATEWAY_DRAIN_TIMEOUT"])
    grace = _pod(deployments["gateway"])["terminationGracePeriodSeconds"]
    assert delay >= 10
    assert grace >= delay + drain + SLACK


def test_probes_ask_what_the_gateway_answers(deployments: dict[str, Any]) -> None:
    container = _container(deployments["gateway"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"public": 8080, "admin": 8081}
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert {get["port"] for get in asked.values()} <= ports.keys()
    assert {kind: get["path"] for kind, get in asked.items()} == {
        "startup": "/gateway/healthz",
        "liveness": "/gateway/healthz",
        "readiness": "/gateway/readyz",
    }


def test_scrapers_reach_gateways_and_workers(
    objects: list[Any], deployments: dict[str, Any], settings: dict[str, str]
) -> None:
    scraped = {
        found["spec"]["selector"]["app.kubernetes.io/component"]: found["spec"]["ports"]
        for found in objects
        if found["kind"] == "Service" and _component(found) == "admin"
    }
    assert scraped == {
        "gateway": [{"name": "admin", "port": 8081, "targetPort": "admin"}],
        "worker": [{"name": "admin", "port": 8082, "targetPort": "metrics"}],
    }
    for component, (port,) in scraped.items():
        target = {"name": port["targetPort"], "containerPort": port["port"]}
        assert target in _container(deployments[component])["ports"]
        (policy,) = [
            found
            for found in objects
            if found["kind"] == "NetworkPolicy"
            and (_selector(found) or {})["app.kubernetes.io/component"] == component
        ]
        admitted = policy["spec"]["ingress"][-1]
        assert "monitoring" in str(admitted["from"])
        assert admitted["ports"] == [{"port": port["targetPort"]}]
    assert settings["GATEWAY_WORKER_METRICS_PORT"] == "8082"


def test_jobs_have_the_names_that_the_alerts_expect(shapes: dict[str, list[Any]]) -> None:
    objects = shapes["aws with everything"]
    (monitor,) = [found for found in objects if found["kind"] == "ServiceMonitor"]
    # The operator calls a job as the Service.
    jobs = {
        found["metadata"]["name"]
        for found in objects
        if found["kind"] == "Service"
        and monitor["spec"]["selector"]["matchLabels"].items()
        <= found["metadata"]["labels"].items()
    }
    assert jobs == {"chatkitty-gateway-admin", "chatkitty-gateway-worker"}
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["admin"]


def test_the_balancer_is_the_first_to_close_an_idle_connection(
    shapes: dict[str, list[Any]],
) -> None:
    (ingress,) = [found for found in shapes["aws"] if found["kind"] == "Ingress"]
    (idle,) = re.findall(r"idle_timeout.timeout_seconds=(\d+)", str(ingress["metadata"]))
    (config,) = [found["data"] for found in shapes["aws"] if found["kind"] == "ConfigMap"]
    assert LONGEST_WAIT < int(idle) < float(config["GATEWAY_IDLE_TIMEOUT"])


def test_whatever_selects_pods_finds_some(objects: list[Any], deployments: dict[str, Any]) -> None:
    labels = {
        name: found["spec"]["template"]["metadata"]["labels"] for name, found in deployments.items()
    }
    seen = set()
    for found in objects:
        if (selector := _selector(found)) is None:
            continue
        pods = {name for name, own in labels.items() if selector.items() <= own.items()}
        assert len(pods) == 1, found
        seen.add((found["kind"], *pods))
    assert {("PodDisruptionBudget", "gateway"), ("PodDisruptionBudget", "worker")} <= seen
    assert {pod for kind, pod in seen if kind == "NetworkPolicy"} == deployments.keys()


def test_only_autoscalers_set_the_number_of_replicas(
    objects: list[Any], deployments: dict[str, Any]
) -> None:
    scaled = {
        found["spec"]["scaleTargetRef"]["name"]: found["spec"]["minReplicas"]
        for found in objects
        if found["kind"] == "HorizontalPodAutoscaler"
    }
    by_name = {found["metadata"]["name"]: found for found in deployments.values()}
    assert {
        name for name, found in by_name.items() if "replicas" not in found["spec"]
    } == scaled.keys()
    assert set(scaled.values()) == {2}


def _selector(found: Any) -> dict[str, str] | None:
    kind, spec = found["kind"], found.get("spec", {})
    selectors = {
        "Service": lambda: spec["selector"],
        "Deployment": lambda: spec["selector"]["matchLabels"],
        "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
        "NetworkPolicy": lambda: spec["podSelector"]["matchLabels"],
    }
    return selectors[kind]() if kind in selectors else None


def _component(found: Any) -> str:
    return str(found["metadata"]["labels"]["app.kubernetes.io/component"])


def _pod(deployment: Any) -> Any:
    return deployment["spec"]["template"]["spec"]


def _container(deployment: Any) -> Any:
    (container,) = _pod(deployment)["containers"]
    return container
