`default_nettype none
// What the IOMMU is asked for one TLP header: combinational decode of header and PASID prefix into the fields of the
// translation port (docs/interfaces.md section 3; PCIe Base, memory requests, PASID TLP prefix).
// `malformed_o`: a memory request that has no single page to translate or no meaning: it crosses a 4 KiB boundary, its AT
// is reserved, or it is a translation request with payload, of an odd length or with bytes left out. It must not reach memory: one page's
// translation would let it touch the next.
module iommu_request_decoder (
    // Header and prefix at sop.
    input  wire [127:0] hdr_i,
    input  wire [31:0]  prefix_i,
    input  wire         prefix_valid_i,

    // 1 for memory reads, writes and atomics; everything else passes without translation.
    output wire         memory_o,
    // Memory request that must be refused without asking.
    output wire         malformed_o,
    // Non-posted request that also writes (atomic, deferrable write).
    output wire         atomic_o,

    // Fields of the translation request.
    output wire [23:0]  did_o,
    output wire         pv_o,
    output wire [19:0]  pid_o,
    output wire         priv_o,
    output wire         exec_o,
    output wire [1:0]   at_o,
    output wire         wr_o,
    output wire         nw_o,
    output wire [63:0]  iova_o
);

  localparam [7:0] PASID_PREFIX = 8'h91;
  localparam [4:0] TYPE_CAS = 5'b01110;

  wire        unused_prefix = &{1'b0, prefix_i[23:22]};
  wire [7:0]  fmt_type = hdr_i[127:120];
  wire [63:0] address = tlp_pkg::request_address(hdr_i);
  wire [10:0] length = {hdr_i[105:96] == 10'd0, hdr_i[105:96]};
  // A compare-and-swap carries two operands and touches one.
  wire [10:0] touched = fmt_type[4:0] == TYPE_CAS ? {1'b0, length[10:1]} : length;
  wire [11:0] page_end = {2'b00, address[11:2]} + {1'b0, touched};
  wire        translation_request = at_o == tlp_pkg::AT_TRANSLATION_REQUEST;
  wire        crosses_page = page_end > 12'd1024;

  assign memory_o = tlp_pkg::is_memory_request(fmt_type);
  assign atomic_o = memory_o && wr_o && tlp_pkg::tlp_class(fmt_type) == tlp_pkg::CLASS_NONPOSTED;
  assign malformed_o = memory_o &&
      (translation_request ? wr_o || hdr_i[96] || hdr_i[71:64] != 8'hFF : (crosses_page || at_o == 2'b11));

  assign did_o = {8'd0, hdr_i[95:80]};
  assign pv_o = prefix_valid_i && prefix_i[31:24] == PASID_PREFIX;
  assign pid_o = pv_o ? prefix_i[19:0] : 20'd0;
  assign priv_o = pv_o && prefix_i[21];
  // Execute Requested has a meaning on reads and translation requests only.
  assign exec_o = pv_o && prefix_i[20] && !wr_o;
  assign at_o = hdr_i[107:106];
  assign wr_o = hdr_i[126];
  // No Write is bit 0 of the address of a translation request, whose bits 11:1 are 0.
  assign nw_o = translation_request && (hdr_i[125] ? hdr_i[0] : hdr_i[32]);
  assign iova_o = translation_request ? {address[63:12], 12'd0} : address;

endmodule
`default_nettype wire
