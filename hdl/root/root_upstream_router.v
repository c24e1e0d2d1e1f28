`default_nettype none
// Router of the TLPs that came up through the root port and past the IOMMU. It steers handshakes only; payload, headers and
// prefixes go to every destination as they are.
//
// Memory requests: host memory and interrupt page to the memory link, even where a window lies over them; an address in a
// bridge window of the root port is looped down (peer to peer through the host bridge); anything else, or any request while Bus Master
// Enable is 0, is refused: posted ones vanish, non-posted ones go to the UR generator, as do configuration and I/O requests from below.
// Messages: by ID into the bus range below are looped down; page requests, and invalidate completions to the root port, go to the IOMMU
// while it has ATS, once every earlier posted TLP has been taken by memory; all others end here and are reported.
// Completions: by requester ID to the CPU or down (completions that ACS redirected); others vanish.
// Combinational except for the choice held from sop to eop.
module root_upstream_router #(
    // Requester ID of the CPU.
    parameter [15:0] CPU_ID = 16'h0000,
    // Requester ID of the root port, which its invalidate requests carry.
    parameter [15:0] ROOT_PORT_ID = 16'h0008
) (
    input  wire         clk_i,
    input  wire         rst_i,

    // Bus Master Enable of the root port.
    input  wire         bus_master_i,

    // Posted stream in; its address lies in memory, in a bridge window of the root port; its destination ID (messages) below it.
    input  wire         posted_valid_i,
    output wire         posted_ready_o,
    input  wire         posted_sop_i,
    input  wire         posted_eop_i,
    input  wire         posted_err_i,
    input  wire [127:0] posted_hdr_i,
    input  wire         posted_in_memory_i,
    input  wire         posted_in_window_i,
    input  wire         posted_id_below_i,
    // The IOMMU has ATS; all posted TLPs that went to the memory link before this cycle have been taken there.
    input  wire         ats_i,
    input  wire         posted_settled_i,
    // Posted to the IOMMU (messages of one beat), to the memory link and down.
    output wire         page_request_valid_o,
    input  wire         page_request_ready_i,
    output wire         invalidate_completion_valid_o,
    output wire         memory_posted_valid_o,
    input  wire         memory_posted_ready_i,
    output wire         down_posted_valid_o,
    input  wire         down_posted_ready_i,

    // Non-posted stream in; its address lies in memory, in a bridge window; its requester lies below the root port.
    input  wire         nonposted_valid_i,
    output wire         nonposted_ready_o,
    input  wire         nonposted_sop_i,
    input  wire         nonposted_eop_i,
    input  wire         nonposted_err_i,
    input  wire [127:0] nonposted_hdr_i,
    input  wire         nonposted_in_memory_i,
    input  wire         nonposted_in_window_i,
    input  wire         nonposted_id_below_i,
    // Its completions will come from memory and go down (looked at while the stream shows the TLP).
    output wire         nonposted_returns_o,
    // Non-posted to the memory link, down, and to the UR generator (one handshake per TLP, at its end).
    output wire         memory_nonposted_valid_o,
    input  wire         memory_nonposted_ready_i,
    output wire         down_nonposted_valid_o,
    input  wire         down_nonposted_ready_i,
    output wire         refused_valid_o,
    input  wire         refused_ready_i,

    // Completion stream in, with whether its requester lies below; to the CPU and down.
    input  wire         completion_valid_i,
    output wire         completion_ready_o,
    input  wire         completion_sop_i,
    input  wire         completion_eop_i,
    input  wire [127:0] completion_hdr_i,
    input  wire         completion_id_below_i,
    output wire         cpu_completion_valid_o,
    input  wire         cpu_completion_ready_i,
    output wire         down_completion_valid_o,
    input  wire         down_completion_ready_i,

    // A message ended here: strobe and header.
    output wire         event_message_o,
    output wire [127:0] event_message_hdr_o,

    // Statistics: a posted memory request was dropped; a completion belonged to nobody.
    output wire         stat_posted_refused_o,
    output wire         stat_completion_unexpected_o
);

  localparam [2:0] ROUTE_TO_ROOT = 3'b000;
  localparam [2:0] ROUTE_BY_ID = 3'b010;
  localparam [7:0] CODE_INVALIDATE_COMPLETION = 8'h02;
  localparam [7:0] CODE_PAGE_REQUEST = 8'h04;

  // Routing looks at the type and, for completions, at the requester ID only.
  wire unused_hdr = &{1'b0, nonposted_hdr_i[119:0], completion_hdr_i[127:64], completion_hdr_i[47:0]};

  // Posted.
  wire posted_is_message = posted_hdr_i[124:123] == 2'b10;
  wire message_down = posted_is_message && posted_hdr_i[122:120] == ROUTE_BY_ID && posted_id_below_i;
  wire posted_to_memory = !posted_is_message && bus_master_i && posted_in_memory_i;
  wire posted_down = posted_is_message ? message_down : bus_master_i && posted_in_window_i && !posted_in_memory_i;
  wire without_data = posted_is_message && !posted_hdr_i[126] && ats_i;
  wire is_page_request = without_data && posted_hdr_i[122:120] == ROUTE_TO_ROOT && posted_hdr_i[71:64] == CODE_PAGE_REQUEST;
  wire is_invalidate_completion = without_data && posted_hdr_i[122:120] == ROUTE_BY_ID &&
      posted_hdr_i[71:64] == CODE_INVALIDATE_COMPLETION && posted_hdr_i[63:48] == ROOT_PORT_ID && !message_down;
  wire to_iommu = is_page_request || is_invalidate_completion;
  wire posted_ends = posted_valid_i && posted_sop_i && posted_ready_o && !posted_to_memory && !posted_down && !to_iommu;
  wire iommu_valid;

  assign page_request_valid_o = iommu_valid && posted_settled_i && is_page_request;
  assign invalidate_completion_valid_o = iommu_valid && posted_settled_i && is_invalidate_completion;

  tlp_stream_demux #(
      .OUTPUTS(3)
  ) u_posted (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (posted_valid_i),
      .in_ready_o (posted_ready_o),
      .in_sop_i   (posted_sop_i),
      .in_eop_i   (posted_eop_i),
      .select_i   ({to_iommu, posted_down, posted_to_memory}),
      .out_valid_o({iommu_valid, down_posted_valid_o, memory_posted_valid_o}),
      .out_ready_i({posted_settled_i && (page_request_ready_i || !is_page_request), down_posted_ready_i, memory_posted_ready_i})
  );

  assign event_message_o = posted_ends && posted_is_message && !(posted_eop_i && posted_err_i);
  assign event_message_hdr_o = posted_hdr_i;
  assign stat_posted_refused_o = posted_ends && !posted_is_message;

  // Non-posted.
  wire nonposted_is_memory = tlp_pkg::is_memory_request(nonposted_hdr_i[127:120]);
  wire nonposted_to_memory = nonposted_is_memory && bus_master_i && nonposted_in_memory_i;
  wire nonposted_down = nonposted_is_memory && bus_master_i && nonposted_in_window_i && !nonposted_in_memory_i;
  wire refused_beat, refused_beat_ready;

  tlp_stream_demux #(
      .OUTPUTS(3)
  ) u_nonposted (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (nonposted_valid_i),
      .in_ready_o (nonposted_ready_o),
      .in_sop_i   (nonposted_sop_i),
      .in_eop_i   (nonposted_eop_i),
      .select_i   ({!nonposted_to_memory && !nonposted_down, nonposted_down, nonposted_to_memory}),
      .out_valid_o({refused_beat, down_nonposted_valid_o, memory_nonposted_valid_o}),
      .out_ready_i({refused_beat_ready, down_nonposted_ready_i, memory_nonposted_ready_i})
  );

  assign refused_valid_o = refused_beat && nonposted_eop_i && !nonposted_err_i;
  assign refused_beat_ready = refused_ready_i || !nonposted_eop_i || nonposted_err_i;
  assign nonposted_returns_o = nonposted_to_memory && nonposted_id_below_i;

  // Completions.
  wire completion_to_cpu = completion_hdr_i[63:48] == CPU_ID;
  wire completion_down = !completion_to_cpu && completion_id_below_i;

  tlp_stream_demux #(
      .OUTPUTS(2)
  ) u_completion (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (completion_valid_i),
      .in_ready_o (completion_ready_o),
      .in_sop_i   (completion_sop_i),
      .in_eop_i   (completion_eop_i),
      .select_i   ({completion_down, completion_to_cpu}),
      .out_valid_o({down_completion_valid_o, cpu_completion_valid_o}),
      .out_ready_i({down_completion_ready_i, cpu_completion_ready_i})
  );

  assign stat_completion_unexpected_o =
      completion_valid_i && completion_sop_i && completion_ready_o && !completion_to_cpu && !completion_down;

endmodule
`default_nettype wire
