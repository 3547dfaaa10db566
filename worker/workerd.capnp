# Quorlite on workerd, without an account: the runtime of Cloudflare Workers on a machine of your own.
# Put the bundle beside this file (docs/guides/workers.md says how), then: workerd serve --experimental workerd.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .quorlite),
    (name = "disk", disk = (path = "data", writable = true)),
    # Peers are dialled over this; take "private" out when there are none.
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const quorlite :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "sqlite3.wasm", wasm = embed "sqlite3.wasm"),
    (name = "trampolines.wasm", wasm = embed "trampolines.wasm"),
  ],
  compatibilityDate = "2026-04-01",
  # A voter never sleeps; nodes on their own stop by themselves and start with the next request.
  durableObjectNamespaces = [
    (className = "QuorliteNode", uniqueKey = "quorlite", enableSql = true, preventEviction = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "QUORLITE", durableObjectNamespace = "QuorliteNode"),
    # Text variables of the process that runs workerd; without these lines: a database on its own, for this machine.
    # (name = "QUORLITE_SECRET_API", fromEnvironment = "QUORLITE_SECRET_API"),
    # (name = "QUORLITE_SECRET_RAFT", fromEnvironment = "QUORLITE_SECRET_RAFT"),
    # (name = "QUORLITE_NODES", text = "1=http://10.0.0.1:4001,2=http://10.0.0.2:4001,3=http://10.0.0.3:8787/nodes/3"),
  ],
);
