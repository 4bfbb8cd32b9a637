'use strict';

// Subscribes to telemetry and writes it to PostgreSQL: one COPY at a time, and while it runs the
// messages for the next one gather. The client library acknowledges each message as it hands it
// over, before it is in the database: what has not been committed when this process dies is lost.
//
//   node glue.js MQTT_URL DATABASE_URL TABLE TOPIC_FILTER

const mqtt = require('mqtt');
const { Client } = require('pg');
const { from: copyFrom } = require('pg-copy-streams');

const [mqttUrl, databaseUrl, table, filter] = process.argv.slice(2);
const database = new Client({ connectionString: databaseUrl });
let rows = [];
let writing = false;

function textOf(value) {
  if (value === undefined || value === null) return '\\N';
  return String(value).replace(/[\\\t\n\r]/g, (c) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c]);
}

function rowOf(topic, payload) {
  const data = JSON.parse(payload);
  if (!(data.temperature > -100)) return null;
  const device = topic.slice(topic.lastIndexOf('/') + 1);
  return `${new Date().toISOString()}\t${textOf(device)}\t${textOf(data.temperature)}\t` +
    `${textOf(data.humidity)}\t${textOf(data.seq)}\n`;
}

function copy(text) {
  return new Promise((resolve, reject) => {
    const stream = database.query(copyFrom(`COPY ${table} (ts, device, temperature, humidity, seq) FROM STDIN`));
    stream.on('error', reject);
    stream.on('finish', resolve);
    stream.end(text);
  });
}

async function write() {
  if (writing) return;
  writing = true;
  while (rows.length > 0) {
    const batch = rows;
    rows = [];
    await copy(batch.join(''));
  }
  writing = false;
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

database.connect().then(() => {
  // A session that outlives the connection, so that the broker keeps what comes meanwhile.
  const client = mqtt.connect(mqttUrl, { clientId: 'glue', clean: false });
  client.on('error', fail);
  client.on('connect', () => client.subscribe(filter, { qos: 1 }, (error) => {
    if (error) fail(error);
    console.log('ready');
  }));
  client.on('message', (topic, payload) => {
    try {
      const row = rowOf(topic, payload.toString());
      if (row === null) return;
      rows.push(row);
    } catch (error) {
      console.error(`${topic}: ${error.message}`);
      return;
    }
    if (!writing) setImmediate(() => write().catch(fail));
  });
}).catch(fail);
