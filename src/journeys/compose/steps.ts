// The steps of the check, in the order of an installation's life: start, scaling, upgrade, outages,
// backup, restore.

import { setTimeout as delay } from 'node:timers/promises'
import { commandsOf, type Installation } from './installation.ts'
import { createVisitor } from './visitor.ts'

export type Step = (name: string, work: () => Promise<string | undefined>) => Promise<void>

const outageMs = 15_000

function expectThat(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(what)
}

export async function checkInstallation(installation: Installation, step: Step): Promise<void> {
  const { shell, set, url, sign, changeConfig } = installation
  const token = await sign({ sub: 'check', expiresInSeconds: 4 * 3600 })
  const visitor = createVisitor({ url, token })
  const { submit, follow, waitForDeck, download } = visitor
  const [start = ''] = commandsOf('deployment.md', 'Start')
  const [rolling = ''] = commandsOf('deployment.md', 'Upgrade')
  const [backup = '', restore = ''] = commandsOf('deployment.md', 'Backup and restore')
  let deck = ''
  let file: Buffer = Buffer.alloc(0)

  const idOf = async (service: string) => (await shell(`docker compose ps -q ${service}`)).trim()
  const fails = (command: string) =>
    shell(command).then(
      () => false,
      () => true,
    )
  const inGateway = (script: string) => shell(`docker compose exec -T gateway node -e '${script}'`)
  const silently = (commands: string) => async () => void (await shell(commands))

  await step('starts', silently(start))
  await step('makes a deck through the published port', async () => {
    deck = await submit()
    await follow(deck)
    file = await download(deck)
    return `a file of ${file.length} bytes`
  })
  await step('shows the log of one presentation', async () => {
    const lines = await shell(`docker compose logs gateway | grep '"presentation_id":"${deck}"'`)
    return `${lines.trim().split('\n').length} lines`
  })
  await step('roots are read-only, and Presenton is out of reach', async () => {
    for (const service of ['gateway', 'minio'])
      expectThat(await fails(`docker compose exec -T ${service} touch /file`), `${service}: /file`)
    const ports = await shell(
      `docker inspect -f '{{json .NetworkSettings.Ports}}' ${await idOf('presenton')}`,
    )
    expectThat(!ports.includes('HostPort'), `published: ${ports}`)
    expectThat(
      await fails('docker compose exec -T proxy wget -q -T 3 -O /dev/null http://presenton/'),
      'the proxy reaches Presenton',
    )
    await inGateway(
      'fetch("http://presenton/api/v1/auth/status").then(({ ok }) => process.exit(ok ? 0 : 1))',
    )
    return undefined
  })
  await step('builds the image alone, with its commit', async () => {
    const id = (
      await shell('docker build --quiet --build-arg GATEWAY_COMMIT="$(git rev-parse HEAD)" .')
    ).trim()
    const env = await shell(`docker inspect -f '{{json .Config.Env}}' ${id}`)
    await shell(`docker image rm ${id}`)
    expectThat(/"GATEWAY_COMMIT=[0-9a-f]{40}"/.test(env), env)
    return undefined
  })
  await step('another `up --build` recreates nothing', async () => {
    const all = () => shell("docker compose ps --format '{{.Name}} {{.ID}}' | sort")
    const before = await all()
    await shell('docker compose up -d --build --wait')
    const after = await all()
    expectThat(before === after, `before:\n${before}\nafter:\n${after}`)
    return undefined
  })
  await step('`up` applies a changed config', async () => {
    const label = '{{index .Config.Labels "configs-digest"}}'
    const digest = (await shell(`docker inspect -f '${label}' ${await idOf('proxy')}`)).trim()
    changeConfig('worker_processes auto;\n      worker_rlimit_nofile', digest)
    await shell('docker compose up -d --wait')
    const content = await shell('docker compose exec -T proxy cat /etc/nginx/nginx.conf')
    expectThat(content.startsWith('# changed'), content.slice(0, 200))
    return undefined
  })
  await step('keeps three gateways over another `up`', async () => {
    set({ GATEWAY_REPLICAS: 3 })
    await shell('docker compose up -d --wait && docker compose up -d --wait')
    const ids = await idOf('gateway')
    expectThat(ids.split('\n').length === 3, `not three: ${ids}`)
    return undefined
  })
  await step('upgrades the gateways one by one under 20 open streams', async () => {
    // The new containers have a changed .env, too: they send traces.
    set({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })
    const ids = await Promise.all(Array.from({ length: 20 }, submit))
    const streams = Promise.allSettled(ids.map(follow))
    const isOver = new AbortController()
    const calls = visitor.keepCalling(deck, isOver.signal)
    const before = await idOf('gateway')
    await shell(rolling).finally(() => isOver.abort())
    const after = await idOf('gateway')
    const { right, failures } = await calls
    const broken = (await streams).flatMap((stream) =>
      stream.status === 'rejected' ? [String(stream.reason)] : [],
    )
    expectThat(broken.length === 0, `${broken.length} of 20 streams: ${broken.join('\n')}`)
    expectThat(failures.length === 0, `${failures.length} failed, ${right} right: ${failures}`)
    expectThat(!before.split('\n').some((id) => after.includes(id)), 'an old one is left')
    expectThat(after.split('\n').length === 3, `not three: ${after}`)
    const { commit } = (await (await fetch(`${url}/health`)).json()) as { commit: string | null }
    expectThat(commit?.length === 40, `/health says the commit is ${commit}`)
    return `${right} requests and 20 streams, none failed`
  })
  await step('the image sends traces', async () => {
    await follow(await submit())
    const endMs = performance.now() + 60_000
    let names: string[] = []
    while (
      !['POST /api/v1/presentations', 'run', 'stage slides', 'transaction'].every((name) =>
        names.includes(name),
      )
    ) {
      expectThat(performance.now() < endMs, `spans: ${[...new Set(names)]}`)
      await delay(1000)
      names = (await shell('docker compose logs --no-log-prefix collector')).split('\n')
    }
    return `${names.length} spans`
  })
  await step('while no gateway is there, streams are told to come back', async () => {
    const id = await submit()
    await shell('docker compose stop gateway')
    try {
      const reader = await visitor.openEvents(id)
      await reader.ended
      expectThat(reader.status === 200 && reader.retry === 2000, `${reader.status} ${reader.retry}`)
      const { status } = await fetch(`${url}/api/v1/presentations/${id}/events`)
      expectThat(status === 502, `one that is no stream got ${status}`)
    } finally {
      await shell('docker compose up -d --wait')
    }
    await follow(id)
    return undefined
  })
  for (const service of ['postgres', 'minio', 'presenton']) {
    await step(`makes a deck although ${service} is killed and away for 15 s`, async () => {
      const id = await submit()
      await delay(1000)
      await shell(`docker compose kill -s SIGKILL ${service}`)
      await delay(outageMs)
      await shell(`docker compose up -d --wait`)
      await waitForDeck(id)
      await download(id)
      return undefined
    })
  }
  await step('workers of their own make a deck, and Prometheus finds all gateways', async () => {
    set({ GATEWAY_WORKER: 'false', COMPOSE_PROFILES: 'worker,monitoring' })
    const hasGrafana = !(await fails('docker compose pull --quiet --include-deps grafana'))
    await shell(`docker compose up -d --wait ${hasGrafana ? '' : 'proxy worker prometheus'}`)
    await follow(await submit())
    const query = 'http://prometheus:9090/api/v1/query?query=up'
    const count = `fetch("${query}").then((r) => r.json()).then(({ data }) => console.log(data.result.filter(({ value }) => value[1] === "1").length))`
    const endMs = performance.now() + 120_000
    let up = 0
    while (up !== 4) {
      expectThat(performance.now() < endMs, `${up} of 4 targets are up`)
      await delay(2000)
      up = Number(await inGateway(count))
    }
    return hasGrafana ? undefined : 'without Grafana, whose image is not there'
  })
  set({ COMPOSE_PROFILES: 'worker' })
  await step('backs up', silently(backup))
  await step('restores into an empty installation', async () => {
    await shell('docker compose down --volumes')
    await shell(restore)
    expectThat((await download(deck)).equals(file), 'the file is another one')
    return undefined
  })
}
