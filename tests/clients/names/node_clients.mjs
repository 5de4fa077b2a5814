// Sends files by one of Node's HTTP clients: CLIENT URL FOLDER NAME...
import { createRequire } from 'node:module'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [client, url, folder, ...names] = process.argv.slice(2)
const require = createRequire(join(process.cwd(), 'x.js'))
const headers = { Authorization: 'Bearer TOKEN' }
const type = 'image/png'
const path = (name) => join(folder, name)
const bytes = (name) => readFileSync(path(name))

function native (name, Form = FormData) {
  const form = new Form()
  form.append('file', new File([bytes(name)], name, { type }), name)
  return form
}

function streamed (name) {
  const Form = require('form-data')
  const form = new Form()
  form.append('file', createReadStream(path(name)), { filename: name, contentType: type })
  return form
}

const ended = (emitter) => new Promise((resolve, reject) => emitter.on('end', resolve).on('error', reject))
const called = (start) => new Promise((resolve) => start(resolve))

const clients = {
  fetch: (name) => fetch(url, { method: 'POST', headers, body: native(name) }),
  axios: (name) => require('axios').post(url, native(name), { headers }),
  'axios-form-data': (name) => require('axios').post(url, streamed(name), { headers }),
  'form-data': (name) => called((done) => {
    const { hostname, port, pathname } = new URL(url)
    streamed(name).submit({ host: hostname, port, path: pathname, headers }, (error, answer) => {
      if (error) throw error
      answer.resume().on('end', done)
    })
  }),
  undici: async (name) => {
    const { request, FormData: Form } = require('undici')
    const answer = await request(url, { method: 'POST', headers, body: native(name, Form) })
    await answer.body.dump()
  },
  got: async (name) => (await import(require.resolve('got'))).default.post(url, { headers, body: native(name) }),
  ky: async (name) => (await import(require.resolve('ky'))).default.post(url, { headers, body: native(name) }),
  'node-fetch': async (name) => {
    const { default: fetch, FormData: Form, File: Blob } = await import(require.resolve('node-fetch'))
    const form = new Form()
    form.append('file', new Blob([bytes(name)], name, { type }), name)
    return fetch(url, { method: 'POST', headers, body: form })
  },
  superagent: (name) => require('superagent').post(url).set(headers)
    .attach('file', bytes(name), { filename: name, contentType: type }),
  needle: (name) => require('needle')('post', url,
    { file: { buffer: bytes(name), filename: name, content_type: type } }, { multipart: true, headers }),
  request: (name) => called((done) => require('request').post(
    { url, headers, formData: { file: { value: bytes(name), options: { filename: name, contentType: type } } } }, done)),
  'postman-request': (name) => called((done) => require('postman-request').post(
    { url, headers, formData: { file: { value: bytes(name), options: { filename: name, contentType: type } } } }, done)),
  unirest: (name) => called((done) => require('unirest').post(url).headers(headers)
    .attach('file', bytes(name), { filename: name, contentType: type }).end(done)),
  'formdata-node': async (name) => {
    const { FormData: Form, File: Blob } = await import(require.resolve('formdata-node'))
    const { FormDataEncoder } = await import(require.resolve('form-data-encoder'))
    const form = new Form()
    form.append('file', new Blob([bytes(name)], name, { type }))
    const encoder = new FormDataEncoder(form)
    const chunks = []
    for await (const chunk of encoder) chunks.push(chunk)
    return fetch(url, { method: 'POST', headers: { ...headers, ...encoder.headers }, body: Buffer.concat(chunks) })
  },
  jsdom: (name) => called((done) => {
    const { JSDOM, VirtualConsole } = require('jsdom')
    const { window } = new JSDOM('', { url, virtualConsole: new VirtualConsole() })
    const form = new window.FormData()
    form.append('file', new window.File([new Uint8Array(bytes(name))], name, { type }))
    const call = new window.XMLHttpRequest()
    call.open('POST', url)
    call.setRequestHeader('Authorization', headers.Authorization)
    call.onloadend = done
    call.send(form)
  }),
  urllib: (name) => require('urllib').request(url, { method: 'POST', headers, files: { file: path(name) } }),
  // React Native since 0.77, by the rule in its source: FormData.js encodes what becomes the header.
  'react-native-0.77': (name) => handmade(
    `filename="${encodeURIComponent(name.replace(/\//g, '_'))}"`),
  // React Native 0.74 to 0.76.
  'react-native-0.74': (name) => handmade(
    `filename="${name}"; filename*=utf-8''${encodeURI(name)}`)
}

function handmade (filename) {
  const head = `--rn\r\ncontent-disposition: form-data; name="file"; ${filename}\r\ncontent-type: ${type}\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), bytes(names[0]), Buffer.from('\r\n--rn--\r\n')])
  return fetch(url, { method: 'POST', headers: { ...headers, 'Content-Type': 'multipart/form-data; boundary=rn' }, body })
}

for (const name of names) await clients[client](name)
process.exit(0)
