// Uploads a file with tus-js-client as it is, and says how it went on one line of JSON.
//
//   node upload.mjs '{"endpoint": "…", "file": "…", "folder": "…", "chunkSize": 0, "sha256": "…", "resumeAfter": 0, "creation": false}'
//
// With resumeAfter the upload is given up after so many bytes, found again with
// findPreviousUploads in a file of the folder, and gone on with by a second upload.
import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { FileUrlStorage, Upload } from 'tus-js-client'

const job = JSON.parse(process.argv[2])
const size = statSync(job.file).size
const result = { retries: 0, resumed: false, statuses: {} }

function upload(giveUpAfter) {
  return new Promise((resolve, reject) => {
    const metadata = { filename: 'dock.jpg', filetype: 'image/jpeg' }
    if (job.sha256) metadata.sha256 = job.sha256
    const options = {
      endpoint: job.endpoint,
      uploadSize: size,
      metadata,
      retryDelays: Array(200).fill(20),
      urlStorage: new FileUrlStorage(join(job.folder, 'urls.json')),
      fingerprint: () => Promise.resolve(`file-${size}`),
      uploadDataDuringCreation: Boolean(job.creation),
      removeFingerprintOnSuccess: true,
      onShouldRetry: (error, attempt, opts) => {
        result.retries++
        const status = error.originalResponse ? error.originalResponse.getStatus() : 0
        result.statuses[status] = (result.statuses[status] || 0) + 1
        return status < 400 || status >= 500 || status === 409 || status === 423
      },
      onAfterResponse: (request, response) => {
        const digest = response.getHeader('Repr-Digest')
        if (digest) result.digest = digest
      },
      onError: reject,
      onSuccess: () => resolve(false),
      onProgress: (sent) => {
        if (giveUpAfter && sent >= giveUpAfter) one.abort().then(() => resolve(true), reject)
      },
    }
    if (job.chunkSize) options.chunkSize = job.chunkSize
    const one = new Upload(createReadStream(job.file), options)
    one.findPreviousUploads().then((previous) => {
      if (previous.length > 0) {
        one.resumeFromPreviousUpload(previous[0])
        result.resumed = true
      }
      one.start()
    }, reject)
  })
}

try {
  if (await upload(job.resumeAfter)) await upload(0)
  console.log(JSON.stringify(result))
} catch (error) {
  console.log(JSON.stringify({ ...result, error: String(error) }))
  process.exitCode = 1
}
