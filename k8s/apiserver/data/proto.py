"""Makes proto.txt from the .proto files of the Go modules k8s.io/api and k8s.io/apimachinery.

    python3 proto.py "$(go env GOMODCACHE)" > proto.txt
"""
import glob
import re
import sys

VERSION = "v0.33.13"
NOTICE = """\
# Field numbers of the Kubernetes API's protobuf messages, made from the .proto files of k8s.io/api and k8s.io/apimachinery v0.33
# (Copyright The Kubernetes Authors, licensed under the Apache License, Version 2.0, http://www.apache.org/licenses/LICENSE-2.0).
# One message a line: `Name: number field type; ...`. `*` a list, `%` a map from text, `=` a struct whose fields lie in its parent's JSON."""

META = "k8s.io.apimachinery.pkg.apis.meta.v1."
SCALARS = {"string", "bytes", "int32", "int64", "bool", "double", "uint32", "uint64"}
# Types that JSON writes in another form; wire.rs has a reader for each.
OWN_READER = {
    META + "Time": "Time",
    META + "MicroTime": "Time",
    META + "FieldsV1": "Raw",
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "Quantity",
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "IntOrString",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": "Raw",
}
# Bodies that kubectl sends in this format; everything they contain comes with them.
ROOTS = ["k8s.io.api." + name for name in (
    "core.v1.ConfigMap", "core.v1.Secret", "core.v1.Namespace", "core.v1.Service", "core.v1.ServiceAccount", "core.v1.Pod",
    "apps.v1.Deployment", "batch.v1.Job", "autoscaling.v2.HorizontalPodAutoscaler", "policy.v1.Eviction",
    "authorization.v1.SelfSubjectAccessReview", "batch.v1.CronJob", "policy.v1.PodDisruptionBudget", "rbac.v1.Role",
    "rbac.v1.RoleBinding", "rbac.v1.ClusterRole", "rbac.v1.ClusterRoleBinding", "authentication.v1.TokenRequest",
)] + [META + "DeleteOptions"]
# Structs that Go embeds: (message, field).
EMBEDDED = {("Volume", "volumeSource"), ("Probe", "handler"), ("EphemeralContainer", "ephemeralContainerCommon"),
            ("PersistentVolumeSpec", "persistentVolumeSource")} | {
    (message, "localObjectReference") for message in (
        "ConfigMapKeySelector", "SecretKeySelector", "ConfigMapEnvSource", "SecretEnvSource",
        "ConfigMapVolumeSource", "ConfigMapProjection", "SecretProjection")}

MESSAGE = re.compile(r"message (\w+) \{(.*?)\n\}", re.S)
FIELD = re.compile(r"(?:(optional|repeated|required)\s+)?(map<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+)\s*[;\[]")
MAP = re.compile(r"map<\w+,([\w.]+)>")


def read(cache):
    """All messages: name to fields (label, type, name, number)."""
    messages = {}
    for module in ("api", "apimachinery"):
        for path in glob.glob(f"{cache}/k8s.io/{module}@{VERSION}/**/generated.proto", recursive=True):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            package = re.search(r"^package ([\w.]+);", text, re.M).group(1)
            for message in MESSAGE.finditer(re.sub(r"//.*", "", text)):
                messages[f"{package}.{message.group(1)}"] = [
                    (label, of.replace(" ", ""), name, int(number)) for label, of, name, number in FIELD.findall(message.group(2))]
    return messages


def main(cache):
    messages = read(cache)

    def resolved(message, of):
        of = (MAP.match(of) or [of, of])[1].lstrip(".")
        nearby = f"{message.rsplit('.', 1)[0]}.{of}"
        return nearby if of not in SCALARS and of not in messages and nearby in messages else of

    reached = set()

    def reach(name):
        if name in reached or name in OWN_READER or name in SCALARS:
            return
        reached.add(name)
        for _, of, _, _ in messages[name]:
            reach(resolved(name, of))

    for root in ROOTS:
        reach(root)

    def short(name):
        if name in OWN_READER or name in SCALARS:
            return OWN_READER.get(name, name)
        last = name.rsplit(".", 1)[1]
        if sum(other.endswith("." + last) for other in reached) == 1:
            return last
        return name.split(".")[-3] + last

    def shape(message, label, of, field):
        if (message.rsplit(".", 1)[1], field) in EMBEDDED:
            return "="
        return "%" if of.startswith("map<") else "*" if label == "repeated" else ""

    print(NOTICE)
    for message in sorted(reached):
        fields = (f"{number} {name} {shape(message, label, of, name)}{short(resolved(message, of))}"
                  for label, of, name, number in messages[message])
        print(f"{short(message)}: {'; '.join(fields)}")


main(sys.argv[1])
