// Files in a ZIP, stored as they are: JPEGs do not get any smaller.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const NAMES_IN_UTF8 = 0x0800;

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ TABLE[(value ^ byte) & 255];
  return (value ^ 0xffffffff) >>> 0;
}

// `files`: pairs of name and Uint8Array. Returns a Blob.
export function zip(files) {
  const encoder = new TextEncoder();
  const [parts, entries] = [[], []];
  let offset = 0;
  for (const [name, content] of files) {
    const encoded = encoder.encode(name);
    const facts = [20, NAMES_IN_UTF8, 0, 0, 0x21, crc32(content), content.length, content.length, encoded.length, 0];
    const head = record(0x04034b50, "2222244422", facts);
    entries.push(record(0x02014b50, "2222224442222244", [20, ...facts, 0, 0, 0, 0, offset]), encoded);
    parts.push(head, encoded, content);
    offset += head.length + encoded.length + content.length;
  }
  const size = entries.reduce((sum, entry) => sum + entry.length, 0);
  const end = record(0x06054b50, "2222442", [0, 0, files.length, files.length, size, offset, 0]);
  return new Blob([...parts, ...entries, end], { type: "application/zip" });
}

// `sizes` has a letter for each value: how many bytes it takes, the lowest first.
function record(signature, sizes, values) {
  const bytes = [];
  const put = (value, size) => {
    for (let index = 0; index < size; index += 1) bytes.push((value >>> (8 * index)) & 255);
  };
  put(signature, 4);
  values.forEach((value, index) => put(value, Number(sizes[index])));
  return Uint8Array.from(bytes);
}
