`default_nettype none
// What a request asks for, and the causes that its faults carry, combinational (Process to translate an IOVA).
module iommu_access_kind (
    // request_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] request_i,

    // Rights that are needed; an ATS translation request only asks which there are.
    output wire                                 exec_o,
    output wire                                 read_o,
    output wire                                 write_o,
    output wire                                 probe_o,

    // Access fault, page fault and guest page fault of the original access type.
    output wire [8:0]                           access_cause_o,
    output wire [8:0]                           page_cause_o,
    output wire [8:0]                           guest_cause_o
);
  `include "iommu_records.vh"

  request_t request;

  assign request = request_i;

  wire untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire probe = request.at == iommu_spec_pkg::AT_TRANSLATION_REQUEST;
  wire reads = probe || !request.wr;
  wire exec = reads && request.exec && (untranslated || request.pv);
  wire read = reads && !(request.exec && untranslated);

  assign exec_o = exec;
  assign read_o = read;
  assign write_o = probe ? !request.nw : request.wr;
  assign probe_o = probe;
  assign access_cause_o = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_ACCESS
      : read ? iommu_spec_pkg::CAUSE_READ_ACCESS : iommu_spec_pkg::CAUSE_WRITE_ACCESS;
  assign page_cause_o = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_PAGE
      : read ? iommu_spec_pkg::CAUSE_READ_PAGE : iommu_spec_pkg::CAUSE_WRITE_PAGE;
  assign guest_cause_o = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_GUEST_PAGE
      : read ? iommu_spec_pkg::CAUSE_READ_GUEST_PAGE : iommu_spec_pkg::CAUSE_WRITE_GUEST_PAGE;

endmodule
`default_nettype wire
