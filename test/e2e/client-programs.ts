// Prepares the programs of test/clients. It builds them from pinned versions, once for each change.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE, cached, keyOf } from './cache.ts'
import { goBuild, goEnvironment } from './go.ts'
import { aptInstall, installDebian, runTool, works } from './tools.ts'

const CLIENTS = new URL('../clients/', import.meta.url).pathname

export interface Client {
  /** E.g. `Java over gRPC`. */
  name: string
  protocol: 'http' | 'grpc'
  command: readonly string[]
}

/** The official exporters, by language and protocol. */
export function clients(): Client[] {
  const javascript = javascriptProgram('application.js')
  const python = [
    pythonWith(join(CLIENTS, 'python/requirements.txt')),
    join(CLIENTS, 'python/application.py'),
  ]
  const go = [goProgram()]
  const java = javaProgram('Application')
  return [
    {
      name: 'JavaScript over HTTP in JSON',
      protocol: 'http',
      command: [...javascript, 'http-json'],
    },
    { name: 'JavaScript over HTTP', protocol: 'http', command: [...javascript, 'http-protobuf'] },
    { name: 'JavaScript over gRPC', protocol: 'grpc', command: [...javascript, 'grpc'] },
    { name: 'Python over HTTP', protocol: 'http', command: [...python, 'http'] },
    { name: 'Python over gRPC', protocol: 'grpc', command: [...python, 'grpc'] },
    { name: 'Go over HTTP', protocol: 'http', command: [...go, 'http'] },
    { name: 'Go over gRPC', protocol: 'grpc', command: [...go, 'grpc'] },
    { name: 'Java over HTTP', protocol: 'http', command: [...java, 'http'] },
    { name: 'Java over gRPC', protocol: 'grpc', command: [...java, 'grpc'] },
  ]
}

/**
 * Applications that export spans, metrics and logs. The variables that every SDK reads configure
 * them.
 */
export function clientsOfEverything(): (Client & { otlpProtocol: string })[] {
  const javascript = javascriptProgram('everything.js')
  const java = javaProgram('Everything')
  return [
    {
      name: 'JavaScript over HTTP in JSON',
      protocol: 'http',
      otlpProtocol: 'http/json',
      command: javascript,
    },
    {
      name: 'JavaScript over HTTP',
      protocol: 'http',
      otlpProtocol: 'http/protobuf',
      command: javascript,
    },
    { name: 'JavaScript over gRPC', protocol: 'grpc', otlpProtocol: 'grpc', command: javascript },
    { name: 'Java over HTTP', protocol: 'http', otlpProtocol: 'http/protobuf', command: java },
    { name: 'Java over gRPC', protocol: 'grpc', otlpProtocol: 'grpc', command: java },
  ]
}

const javascriptProgram = (name: string): string[] => [
  process.execPath,
  join(CLIENTS, 'javascript', name),
]

/** The Python of a virtual environment with the packages of a requirements.txt. */
function pythonWith(requirements: string): string {
  // Debian ships both as separate packages.
  if (!works('python3', ['-c', 'import venv, ensurepip'])) aptInstall(['python3', 'python3-venv'])
  const name = `python-${keyOf(runTool('python3', ['--version']), { file: requirements })}`
  const folder = cached(name, (made) => {
    runTool('python3', ['-m', 'venv', made])
    runTool(join(made, 'bin', 'python'), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '-r',
      requirements,
    ])
  })
  return join(folder, 'bin', 'python')
}

function goProgram(): string {
  const module = join(CLIENTS, 'go')
  const env = goEnvironment()
  const key = keyOf(runTool('go', ['version'], { env }), { folder: module })
  const folder = cached(`go-clients-${key}`, (made) => goBuild(module, made, ['.'], env))
  return join(folder, 'clients')
}

/**
 * The command line of a class. Maven's repository is in the cache too, so a rebuild takes seconds.
 */
function javaProgram(main: string): string[] {
  const module = join(CLIENTS, 'java')
  installDebian([
    ['/usr/bin/javac', 'default-jdk-headless'],
    ['/usr/bin/mvn', 'maven'],
  ])
  const key = keyOf(readFileSync(join(module, 'pom.xml'), 'utf8'), { folder: join(module, 'src') })
  const folder = cached(`java-clients-${key}`, (made) => {
    const where = [
      `-Dmaven.repo.local=${join(CACHE, 'maven')}`,
      `-Doutput=${made}`,
      '-f',
      join(module, 'pom.xml'),
    ]
    runTool('mvn', [
      '-q',
      '-B',
      '-ntp',
      '--strict-checksums',
      ...where,
      'compiler:compile',
      'dependency:copy-dependencies',
    ])
  })
  return ['java', '-cp', `${join(folder, 'classes')}:${join(folder, 'dependency')}/*`, main]
}
