// Decodes the columns that the build embedded. Data only: nothing of it is ever evaluated or written as markup.
function decodeColumns(text) {
  const { length, columns } = JSON.parse(text);
  const decoded = Object.create(null);
  for (const [name, column] of Object.entries(columns)) {
    if ("numbers" in column) decoded[name] = column.numbers;
    else if ("codes" in column) decoded[name] = column.codes.map((code) => column.values[code]);
    else decoded[name] = new Array(length).fill(column.constant);
  }
  return { length, columns: decoded, names: Object.keys(columns) };
}
