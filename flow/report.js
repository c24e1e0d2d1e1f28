for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const value = cell => cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (body.rows[0] && body.rows[0].cells[column].classList.contains("number")) head.classList.add("number");
    head.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (a, b) => {
        const x = value(a.cells[column]), y = value(b.cells[column]);
        return typeof x === "number" ? x - y : x.localeCompare(y);
      };
      body.append(...[...body.rows].sort((a, b) => down ? compare(b, a) : compare(a, b)));
    });
  });
}
