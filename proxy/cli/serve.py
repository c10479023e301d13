"""`promptshield serve`: run the proxy, the control plane and whatever engines are not configured."""

from __future__ import annotations

from proxy.cli.common import ConfigOption, DataOption, progress
from proxy.runtime.supervisor import Running, Supervisor
from proxy.settings import load_settings
from proxy.telemetry.logs import configure_logs


def serve(config: ConfigOption = None, data: DataOption = None) -> None:
    """Run the firewall until Ctrl-C or SIGTERM."""
    settings = load_settings(config, data=data)
    log = configure_logs(settings.log)
    if log is not None and (problem := log.problem()):
        progress(problem)
    supervisor = Supervisor(settings, progress, log)
    running = supervisor.start()
    if running is None:
        progress("stopped before it was ready")
        return
    print(_next_steps(running), flush=True)
    supervisor.watch()
    progress("stopping: streams may finish (again Ctrl-C to cut them)")
    supervisor.stop()


def _next_steps(running: Running) -> str:
    if not running.demo_key:
        return f"""{_first_sign_in(running)}
PromptShield is ready.
  proxy           {running.proxy_url}/v1
  control plane   {running.control_url}/health   {running.control_url}/metrics
Make a key:  promptshield key create <tenant>"""
    answering = "the built-in demo upstream (offline)" if running.demo_upstream else "the upstreams you configured"
    model = "demo-small" if running.demo_upstream else "openai/gpt-4o-mini"
    return f"""{_first_sign_in(running)}
PromptShield is ready; {answering} will answer.
  proxy           {running.proxy_url}/v1
  control plane   {running.control_url}/health   {running.control_url}/metrics

Try it:

curl {running.proxy_url}/v1/chat/completions -H 'Authorization: Bearer {running.demo_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Mail anna@example.org a greeting"}}]}}'

from openai import OpenAI
client = OpenAI(base_url="{running.proxy_url}/v1", api_key="{running.demo_key}")
messages = [{{"role": "user", "content": "Hello! My card is 4111 1111 1111 1111."}}]
answer = client.chat.completions.create(model="{model}", messages=messages)
print(answer.choices[0].message.content)

What was decided:  .venv/bin/promptshield decisions tail
"""


def _first_sign_in(running: Running) -> str:
    if not running.admin_password:
        return ""
    return f"""
The console's first administrator, shown this once; the password is to be changed at the first sign-in:
  {running.control_url}/sign-in   name: {running.admin_name}   password: {running.admin_password}
"""
