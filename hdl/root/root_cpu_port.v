`default_nettype none
// The CPU link: configuration and memory requests of the CPU in, completions out.
// Configuration of bus 0 is answered here (root_configuration), unsupported requests with UR; the rest goes down. Completions come
// from here and from the devices below.
module root_cpu_port #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Room of the receive buffer: header credits, data credits of 16 bytes.
    parameter int HEADERS = 16,
    parameter int DATA = 64,
    // Completer IDs of the host bridge and of the root port.
    parameter [15:0] HOST_BRIDGE_ID = 16'h0000,
    parameter [15:0] ROOT_PORT_ID = 16'h0008,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                      clk_i,
    input  wire                      rst_i,
    input  wire                      link_up_i,

    // Link from the CPU, and to it.
    input  wire                      rx_valid_i,
    output wire                      rx_ready_o,
    input  wire                      rx_sop_i,
    input  wire                      rx_eop_i,
    input  wire [DATA_W-1:0]         rx_data_i,
    input  wire [EMPTY_W-1:0]        rx_empty_i,
    input  wire [127:0]              rx_hdr_i,
    input  wire [31:0]               rx_prefix_i,
    input  wire                      rx_prefix_valid_i,
    input  wire                      rx_err_i,
    output wire [59:0]               rx_credit_limit_o,
    output wire [5:0]                rx_credit_infinite_o,
    output wire                      tx_valid_o,
    input  wire                      tx_ready_i,
    output wire                      tx_sop_o,
    output wire                      tx_eop_o,
    output wire [DATA_W-1:0]         tx_data_o,
    output wire [EMPTY_W-1:0]        tx_empty_o,
    output wire [127:0]              tx_hdr_o,
    output wire [31:0]               tx_prefix_o,
    output wire                      tx_prefix_valid_o,
    output wire                      tx_err_o,
    input  wire [59:0]               tx_credit_limit_i,
    input  wire [5:0]                tx_credit_infinite_i,

    // Posted requests down.
    output wire                      posted_valid_o,
    input  wire                      posted_ready_i,
    output wire                      posted_sop_o,
    output wire                      posted_eop_o,
    output wire [DATA_W-1:0]         posted_data_o,
    output wire [EMPTY_W-1:0]        posted_empty_o,
    output wire [127:0]              posted_hdr_o,
    output wire [31:0]               posted_prefix_o,
    output wire                      posted_prefix_valid_o,
    output wire                      posted_err_o,

    // Non-posted requests down.
    output wire                      nonposted_valid_o,
    input  wire                      nonposted_ready_i,
    output wire                      nonposted_sop_o,
    output wire                      nonposted_eop_o,
    output wire [DATA_W-1:0]         nonposted_data_o,
    output wire [EMPTY_W-1:0]        nonposted_empty_o,
    output wire [127:0]              nonposted_hdr_o,
    output wire [31:0]               nonposted_prefix_o,
    output wire                      nonposted_prefix_valid_o,
    output wire                      nonposted_err_o,

    // Completions of the devices below in.
    input  wire                      completion_valid_i,
    output wire                      completion_ready_o,
    input  wire                      completion_sop_i,
    input  wire                      completion_eop_i,
    input  wire [DATA_W-1:0]         completion_data_i,
    input  wire [EMPTY_W-1:0]        completion_empty_i,
    input  wire [127:0]              completion_hdr_i,
    input  wire [31:0]               completion_prefix_i,
    input  wire                      completion_prefix_valid_i,
    input  wire                      completion_err_i,

    // Programming of the root port: buses below, Memory Space Enable, bridge windows in units of 1 MiB (both
    // ends included), Bus Master Enable.
    output wire [7:0]                secondary_bus_o,
    output wire [7:0]                subordinate_bus_o,
    output wire                      memory_enable_o,
    output wire [11:0]               memory_base_o,
    output wire [11:0]               memory_limit_o,
    output wire [43:0]               prefetchable_base_o,
    output wire [43:0]               prefetchable_limit_o,
    output wire                      bus_master_enable_o,

    // The root port refused a request from below.
    input  wire                      unsupported_i,

    // Statistics: a posted request was dropped.
    output wire                      stat_posted_refused_o
);

  // Received.
  wire               rx_posted_valid, rx_posted_ready, rx_nonposted_valid, rx_nonposted_ready;
  wire [127:0]       rx_nonposted_hdr;
  wire               unused_completion_valid;
  wire               unused_completion_sop, unused_completion_eop, unused_completion_prefix_valid, unused_completion_err;
  wire [DATA_W-1:0]  unused_completion_data;
  wire [EMPTY_W-1:0] unused_completion_empty;
  wire [127:0]       unused_completion_hdr;
  wire [31:0]        unused_completion_prefix;

  tlp_receive_buffer #(
      .DATA_W            (DATA_W),
      .POSTED_HEADERS    (HEADERS),
      .POSTED_DATA       (DATA),
      .NONPOSTED_HEADERS (HEADERS),
      .NONPOSTED_DATA    (2 * HEADERS),
      .COMPLETION_HEADERS(1),
      .COMPLETION_DATA   (1)
  ) u_receive (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .link_up_i                (link_up_i),
      .rx_valid_i               (rx_valid_i),
      .rx_ready_o               (rx_ready_o),
      .rx_sop_i                 (rx_sop_i),
      .rx_eop_i                 (rx_eop_i),
      .rx_data_i                (rx_data_i),
      .rx_empty_i               (rx_empty_i),
      .rx_hdr_i                 (rx_hdr_i),
      .rx_prefix_i              (rx_prefix_i),
      .rx_prefix_valid_i        (rx_prefix_valid_i),
      .rx_err_i                 (rx_err_i),
      .rx_credit_limit_o        (rx_credit_limit_o),
      .rx_credit_infinite_o     (rx_credit_infinite_o),
      .posted_valid_o           (rx_posted_valid),
      .posted_ready_i           (rx_posted_ready),
      .posted_sop_o             (posted_sop_o),
      .posted_eop_o             (posted_eop_o),
      .posted_data_o            (posted_data_o),
      .posted_empty_o           (posted_empty_o),
      .posted_hdr_o             (posted_hdr_o),
      .posted_prefix_o          (posted_prefix_o),
      .posted_prefix_valid_o    (posted_prefix_valid_o),
      .posted_err_o             (posted_err_o),
      .nonposted_valid_o        (rx_nonposted_valid),
      .nonposted_ready_i        (rx_nonposted_ready),
      .nonposted_sop_o          (nonposted_sop_o),
      .nonposted_eop_o          (nonposted_eop_o),
      .nonposted_data_o         (nonposted_data_o),
      .nonposted_empty_o        (nonposted_empty_o),
      .nonposted_hdr_o          (rx_nonposted_hdr),
      .nonposted_prefix_o       (nonposted_prefix_o),
      .nonposted_prefix_valid_o (nonposted_prefix_valid_o),
      .nonposted_err_o          (nonposted_err_o),
      .completion_valid_o       (unused_completion_valid),
      .completion_ready_i       (1'b1),
      .completion_sop_o         (unused_completion_sop),
      .completion_eop_o         (unused_completion_eop),
      .completion_data_o        (unused_completion_data),
      .completion_empty_o       (unused_completion_empty),
      .completion_hdr_o         (unused_completion_hdr),
      .completion_prefix_o      (unused_completion_prefix),
      .completion_prefix_valid_o(unused_completion_prefix_valid),
      .completion_err_o         (unused_completion_err)
  );

  // Destination.
  wire posted_in_window, nonposted_in_window, nonposted_bus_below, nonposted_bus_secondary;
  wire local_valid, local_ready, local_configuration;
  wire unused_posted_below, unused_posted_secondary;

  switch_claim #(
      .PORTS(1)
  ) u_posted_claim (
      .address_i           (tlp_pkg::request_address(posted_hdr_o)),
      .bus_i               (8'd0),
      .memory_enable_i     (memory_enable_o),
      .memory_base_i       (memory_base_o),
      .memory_limit_i      (memory_limit_o),
      .prefetchable_base_i (prefetchable_base_o),
      .prefetchable_limit_i(prefetchable_limit_o),
      .secondary_bus_i     (secondary_bus_o),
      .subordinate_bus_i   (subordinate_bus_o),
      .window_o            (posted_in_window),
      .range_o             (unused_posted_below),
      .secondary_o         (unused_posted_secondary)
  );

  switch_claim #(
      .PORTS(1)
  ) u_nonposted_claim (
      .address_i           (tlp_pkg::request_address(rx_nonposted_hdr)),
      .bus_i               (rx_nonposted_hdr[63:56]),
      .memory_enable_i     (memory_enable_o),
      .memory_base_i       (memory_base_o),
      .memory_limit_i      (memory_limit_o),
      .prefetchable_base_i (prefetchable_base_o),
      .prefetchable_limit_i(prefetchable_limit_o),
      .secondary_bus_i     (secondary_bus_o),
      .subordinate_bus_i   (subordinate_bus_o),
      .window_o            (nonposted_in_window),
      .range_o             (nonposted_bus_below),
      .secondary_o         (nonposted_bus_secondary)
  );

  root_cpu_router u_router (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .posted_valid_i           (rx_posted_valid),
      .posted_ready_o           (rx_posted_ready),
      .posted_sop_i             (posted_sop_o),
      .posted_eop_i             (posted_eop_o),
      .posted_hdr_i             (posted_hdr_o),
      .posted_in_window_i       (posted_in_window),
      .down_posted_valid_o      (posted_valid_o),
      .down_posted_ready_i      (posted_ready_i),
      .nonposted_valid_i        (rx_nonposted_valid),
      .nonposted_ready_o        (rx_nonposted_ready),
      .nonposted_sop_i          (nonposted_sop_o),
      .nonposted_eop_i          (nonposted_eop_o),
      .nonposted_err_i          (nonposted_err_o),
      .nonposted_hdr_i          (rx_nonposted_hdr),
      .nonposted_in_window_i    (nonposted_in_window),
      .nonposted_bus_below_i    (nonposted_bus_below),
      .nonposted_bus_secondary_i(nonposted_bus_secondary),
      .down_nonposted_valid_o   (nonposted_valid_o),
      .down_nonposted_ready_i   (nonposted_ready_i),
      .down_nonposted_hdr_o     (nonposted_hdr_o),
      .local_valid_o            (local_valid),
      .local_ready_i            (local_ready),
      .local_configuration_o    (local_configuration),
      .stat_posted_refused_o    (stat_posted_refused_o)
  );

  // Answers from here: the functions of bus 0, or UR.
  wire        configuration_found;
  wire [31:0] configuration_data;
  wire        is_write = rx_nonposted_hdr[126];
  wire               local_completion_valid, local_completion_ready;
  wire               local_completion_sop, local_completion_eop, local_completion_prefix_valid, local_completion_err;
  wire [DATA_W-1:0]  local_completion_data;
  wire [EMPTY_W-1:0] local_completion_empty;
  wire [127:0]       local_completion_hdr;
  wire [31:0]        local_completion_prefix;

  root_configuration u_configuration (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .request_valid_i     (local_valid && local_ready && local_configuration),
      .request_write_i     (is_write),
      .request_target_i    (rx_nonposted_hdr[63:48]),
      .request_register_i  (rx_nonposted_hdr[43:34]),
      .request_enables_i   (rx_nonposted_hdr[67:64]),
      .request_data_i      (nonposted_data_o[31:0]),
      .found_o             (configuration_found),
      .data_o              (configuration_data),
      .unsupported_i       (unsupported_i),
      .secondary_bus_o     (secondary_bus_o),
      .subordinate_bus_o   (subordinate_bus_o),
      .memory_enable_o     (memory_enable_o),
      .memory_base_o       (memory_base_o),
      .memory_limit_o      (memory_limit_o),
      .prefetchable_base_o (prefetchable_base_o),
      .prefetchable_limit_o(prefetchable_limit_o),
      .bus_master_enable_o (bus_master_enable_o)
  );

  tlp_completion_generator #(
      .DATA_W(DATA_W)
  ) u_local (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .request_valid_i          (local_valid),
      .request_ready_o          (local_ready),
      .request_hdr_i            (rx_nonposted_hdr),
      .request_status_i         (local_configuration && configuration_found ? tlp_pkg::STATUS_SC : tlp_pkg::STATUS_UR),
      .request_with_data_i      (local_configuration && configuration_found && !is_write),
      .request_data_i           (configuration_data),
      .request_completer_i      (local_configuration && rx_nonposted_hdr[55:51] == 5'd1 ? ROOT_PORT_ID : HOST_BRIDGE_ID),
      .completion_valid_o       (local_completion_valid),
      .completion_ready_i       (local_completion_ready),
      .completion_sop_o         (local_completion_sop),
      .completion_eop_o         (local_completion_eop),
      .completion_data_o        (local_completion_data),
      .completion_empty_o       (local_completion_empty),
      .completion_hdr_o         (local_completion_hdr),
      .completion_prefix_o      (local_completion_prefix),
      .completion_prefix_valid_o(local_completion_prefix_valid),
      .completion_err_o         (local_completion_err)
  );

  // Completions to the CPU.
  wire [3:0] unused_request_ready;

  tlp_transmit_arbiter #(
      .DATA_W (DATA_W),
      .SOURCES(2)
  ) u_transmit (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .in_valid_i          ({local_completion_valid, 2'b00, completion_valid_i, 2'b00}),
      .in_ready_o          ({local_completion_ready, unused_request_ready[3:2], completion_ready_o, unused_request_ready[1:0]}),
      .in_sop_i            ({local_completion_sop, 2'b00, completion_sop_i, 2'b00}),
      .in_eop_i            ({local_completion_eop, 2'b00, completion_eop_i, 2'b00}),
      .in_data_i           ({local_completion_data, {2 * DATA_W{1'b0}}, completion_data_i, {2 * DATA_W{1'b0}}}),
      .in_empty_i          ({local_completion_empty, {2 * EMPTY_W{1'b0}}, completion_empty_i, {2 * EMPTY_W{1'b0}}}),
      .in_hdr_i            ({local_completion_hdr, 256'd0, completion_hdr_i, 256'd0}),
      .in_prefix_i         ({local_completion_prefix, 64'd0, completion_prefix_i, 64'd0}),
      .in_prefix_valid_i   ({local_completion_prefix_valid, 2'b00, completion_prefix_valid_i, 2'b00}),
      .in_err_i            ({local_completion_err, 2'b00, completion_err_i, 2'b00}),
      .tx_valid_o          (tx_valid_o),
      .tx_ready_i          (tx_ready_i),
      .tx_sop_o            (tx_sop_o),
      .tx_eop_o            (tx_eop_o),
      .tx_data_o           (tx_data_o),
      .tx_empty_o          (tx_empty_o),
      .tx_hdr_o            (tx_hdr_o),
      .tx_prefix_o         (tx_prefix_o),
      .tx_prefix_valid_o   (tx_prefix_valid_o),
      .tx_err_o            (tx_err_o),
      .tx_credit_limit_i   (tx_credit_limit_i),
      .tx_credit_infinite_i(tx_credit_infinite_i)
  );

endmodule
`default_nettype wire
