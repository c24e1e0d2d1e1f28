`default_nettype none
// Router of the CPU's requests. It steers handshakes and marks what changes in the header; payload and the rest of the headers go
// to every destination as they are.
//
// Configuration requests (the CPU presents type 1 only): bus 0 to the functions of the root complex; the secondary bus of the
// root port down as type 0 (device 0 only: a link has one device, PCIe Base, configuration request routing); buses up to the
// subordinate one down as type 1. Memory requests in a bridge window and messages go down. Everything else is unsupported: posted
// TLPs vanish, non-posted ones are answered with UR.
// Combinational except for the choice held from sop to eop.
module root_cpu_router (
    input  wire         clk_i,
    input  wire         rst_i,

    // Posted stream in, whether its address lies in a bridge window; and down.
    input  wire         posted_valid_i,
    output wire         posted_ready_o,
    input  wire         posted_sop_i,
    input  wire         posted_eop_i,
    input  wire [127:0] posted_hdr_i,
    input  wire         posted_in_window_i,
    output wire         down_posted_valid_o,
    input  wire         down_posted_ready_i,

    // Non-posted stream in; its address lies in a bridge window; its target bus lies below the root port, is the secondary bus.
    input  wire         nonposted_valid_i,
    output wire         nonposted_ready_o,
    input  wire         nonposted_sop_i,
    input  wire         nonposted_eop_i,
    input  wire         nonposted_err_i,
    input  wire [127:0] nonposted_hdr_i,
    input  wire         nonposted_in_window_i,
    input  wire         nonposted_bus_below_i,
    input  wire         nonposted_bus_secondary_i,
    // Non-posted down, with its header there.
    output wire         down_nonposted_valid_o,
    input  wire         down_nonposted_ready_i,
    output wire [127:0] down_nonposted_hdr_o,
    // Non-posted that is answered here, one handshake per TLP at its end: configuration of bus 0, or (0) unsupported.
    output wire         local_valid_o,
    input  wire         local_ready_i,
    output wire         local_configuration_o,

    // Statistics: a posted request was dropped.
    output wire         stat_posted_refused_o
);

  // Whether a posted TLP is a message is all that matters here.
  wire unused_posted_hdr = &{1'b0, posted_hdr_i[127:125], posted_hdr_i[122:0]};

  // Posted.
  wire posted_is_message = posted_hdr_i[124:123] == 2'b10;
  wire posted_down = posted_is_message || posted_in_window_i;

  tlp_stream_demux #(
      .OUTPUTS(1)
  ) u_posted (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (posted_valid_i),
      .in_ready_o (posted_ready_o),
      .in_sop_i   (posted_sop_i),
      .in_eop_i   (posted_eop_i),
      .select_i   (posted_down),
      .out_valid_o(down_posted_valid_o),
      .out_ready_i(down_posted_ready_i)
  );

  assign stat_posted_refused_o = posted_valid_i && posted_sop_i && posted_ready_o && !posted_down;

  // Non-posted.
  wire [7:0] fmt_type = nonposted_hdr_i[127:120];
  wire [7:0] bus = nonposted_hdr_i[63:56];
  wire [4:0] device = nonposted_hdr_i[55:51];
  wire configuration = fmt_type == tlp_pkg::CFGRD1 || fmt_type == tlp_pkg::CFGWR1;
  wire as_type0 = configuration && nonposted_bus_secondary_i;
  wire configuration_down = configuration && nonposted_bus_below_i && (!nonposted_bus_secondary_i || device == 5'd0);
  wire memory_down = tlp_pkg::is_memory_request(fmt_type) && nonposted_in_window_i;
  wire nonposted_down = configuration_down || memory_down;
  wire local_beat, local_beat_ready;

  tlp_stream_demux #(
      .OUTPUTS(2)
  ) u_nonposted (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (nonposted_valid_i),
      .in_ready_o (nonposted_ready_o),
      .in_sop_i   (nonposted_sop_i),
      .in_eop_i   (nonposted_eop_i),
      .select_i   ({!nonposted_down, nonposted_down}),
      .out_valid_o({local_beat, down_nonposted_valid_o}),
      .out_ready_i({local_beat_ready, down_nonposted_ready_i})
  );

  // Type 1 becomes type 0 by bit 0 of Type.
  assign down_nonposted_hdr_o = {nonposted_hdr_i[127:121], nonposted_hdr_i[120] && !as_type0, nonposted_hdr_i[119:0]};
  assign local_valid_o = local_beat && nonposted_eop_i && !nonposted_err_i;
  assign local_beat_ready = local_ready_i || !nonposted_eop_i || nonposted_err_i;
  assign local_configuration_o = configuration && bus == 8'd0;

endmodule
`default_nettype wire
