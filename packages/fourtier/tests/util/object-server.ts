/** A server of object storage on this machine, with Amazon's interface, and objects in it. */

import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, relative, sep } from "node:path"
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"

// the client says so where Node is 20
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true"

export interface ObjectServer {
  /** What a process needs to be let in. */
  env: Record<string, string>
  put(bucket: string, key: string, content: Uint8Array): Promise<void>
  /** All files of a folder. */
  putFolder(bucket: string, key: string, folder: string): Promise<void>
  createBucket(bucket: string): Promise<void>
  stop(): void
}

/** @param folder where it keeps its objects */
export async function startObjectServer(folder: string): Promise<ObjectServer> {
  const program = join(dirname(createRequire(import.meta.url).resolve("s3rver/package.json")), "bin/s3rver.js")
  const child = spawn(process.execPath, [program, "-d", folder, "-a", "127.0.0.1", "-p", "0", "--no-vhost-buckets"], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const endpoint = await addressOf(child)
  const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" }
  const client = new S3Client({
    ...{ endpoint, credentials, region: "us-east-1", forcePathStyle: true },
    requestChecksumCalculation: "WHEN_REQUIRED",
  })
  const put = async (bucket: string, key: string, content: Uint8Array) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }))
  }
  return {
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    put,
    async putFolder(bucket, key, from) {
      for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue
        const path = join(entry.parentPath, entry.name)
        await put(bucket, `${key}/${relative(from, path).split(sep).join("/")}`, readFileSync(path))
      }
    },
    async createBucket(bucket) {
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
    },
    stop() {
      client.destroy()
      child.kill()
    },
  }
}

/** The address that the server says it listens at. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    child.stdout?.on("data", (chunk) => {
      text += chunk
      const port = /(?:127\.0\.0\.1|localhost):(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
    })
    child.on("exit", () => reject(new Error(`the server has ended: ${text}`)))
  })
}
