`default_nettype none
// Configuration spaces of all port functions of the switch: one upstream port (no ACS), downstream ports with ACS.
// Port 0 is the upstream port; port n is also the Port Number and the bit of the egress control vectors.
module switch_port_config #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // IDs of the functions.
    parameter [15:0] VENDOR_ID = 16'h1234,
    parameter [15:0] UPSTREAM_DEVICE_ID = 16'h5355,
    parameter [15:0] DOWNSTREAM_DEVICE_ID = 16'h5344,
    // Largest payload: code 0..5 = 128..4096 bytes.
    parameter [2:0] MAX_PAYLOAD_SUPPORTED = 3'd5
) (
    input  wire                   clk_i,
    input  wire                   rst_i,

    // Configuration access (pci_config_type1): one-hot function, 0 = none.
    input  wire [PORTS-1:0]       cfg_function_i,
    input  wire                   cfg_valid_i,
    input  wire                   cfg_write_i,
    input  wire [9:0]             cfg_register_i,
    input  wire [3:0]             cfg_enables_i,
    input  wire [31:0]            cfg_wdata_i,
    input  wire [15:0]            cfg_target_i,
    output wire [31:0]            cfg_rdata_o,

    // Links that are up, and status strobes of each port.
    input  wire [PORTS-1:0]       link_up_i,
    input  wire [PORTS-1:0]       set_correctable_i,
    input  wire [PORTS-1:0]       set_nonfatal_i,
    input  wire [PORTS-1:0]       set_unsupported_i,
    input  wire [PORTS-1:0]       set_target_abort_i,

    // Configuration of the ports, port 0 lowest.
    output wire [PORTS-1:0]       memory_enable_o,
    output wire [PORTS-1:0]       bus_master_enable_o,
    output wire [PORTS-1:0]       atomic_egress_block_o,
    output wire [PORTS*12-1:0]    memory_base_o,
    output wire [PORTS*12-1:0]    memory_limit_o,
    output wire [PORTS*44-1:0]    prefetchable_base_o,
    output wire [PORTS*44-1:0]    prefetchable_limit_o,
    output wire [PORTS*8-1:0]     secondary_bus_o,
    output wire [PORTS*8-1:0]     subordinate_bus_o,
    output wire [PORTS*16-1:0]    id_o,
    output wire [PORTS*7-1:0]     acs_control_o,
    output wire [PORTS*PORTS-1:0] acs_vector_o
);

  logic [PORTS*32-1:0] rdata;
  logic [31:0]         selected_rdata;

  generate
    for (genvar p = 0; p < PORTS; p++) begin : g_port
      localparam int VECTOR_SIZE = p == 0 ? 0 : PORTS;
      localparam int VECTOR_W = p == 0 ? 1 : PORTS;

      wire [7:0]          unused_primary_bus;
      wire [2:0]          unused_max_payload_size;
      wire [VECTOR_W-1:0] vector;

      pci_config_type1 #(
          .VENDOR_ID            (VENDOR_ID),
          .DEVICE_ID            (p == 0 ? UPSTREAM_DEVICE_ID : DOWNSTREAM_DEVICE_ID),
          .PORT_TYPE            (p == 0 ? 4'd5 : 4'd6),
          .PORT_NUMBER          (8'(p)),
          .MAX_PAYLOAD_SUPPORTED(MAX_PAYLOAD_SUPPORTED),
          .ACS_VECTOR_SIZE      (VECTOR_SIZE)
      ) u_config (
          .clk_i                (clk_i),
          .rst_i                (rst_i),
          .cfg_valid_i          (cfg_valid_i && cfg_function_i[p]),
          .cfg_write_i          (cfg_write_i),
          .cfg_register_i       (cfg_register_i),
          .cfg_enables_i        (cfg_enables_i),
          .cfg_wdata_i          (cfg_wdata_i),
          .cfg_target_i         (cfg_target_i),
          .cfg_rdata_o          (rdata[p*32+:32]),
          .link_up_i            (link_up_i[p]),
          .set_correctable_i    (set_correctable_i[p]),
          .set_nonfatal_i       (set_nonfatal_i[p]),
          .set_unsupported_i    (set_unsupported_i[p]),
          .set_target_abort_i   (set_target_abort_i[p]),
          .id_o                 (id_o[p*16+:16]),
          .primary_bus_o        (unused_primary_bus),
          .secondary_bus_o      (secondary_bus_o[p*8+:8]),
          .subordinate_bus_o    (subordinate_bus_o[p*8+:8]),
          .memory_enable_o      (memory_enable_o[p]),
          .bus_master_enable_o  (bus_master_enable_o[p]),
          .memory_base_o        (memory_base_o[p*12+:12]),
          .memory_limit_o       (memory_limit_o[p*12+:12]),
          .prefetchable_base_o  (prefetchable_base_o[p*44+:44]),
          .prefetchable_limit_o (prefetchable_limit_o[p*44+:44]),
          .max_payload_size_o   (unused_max_payload_size),
          .atomic_egress_block_o(atomic_egress_block_o[p]),
          .acs_control_o        (acs_control_o[p*7+:7]),
          .acs_vector_o         (vector)
      );

      if (p == 0) begin : g_no_acs
        wire unused_vector = vector[0];
        assign acs_vector_o[PORTS-1:0] = '0;
      end else begin : g_acs
        assign acs_vector_o[p*PORTS+:PORTS] = vector;
      end
    end
  endgenerate

  always_comb begin
    selected_rdata = 32'd0;
    for (int i = 0; i < PORTS; i++) if (cfg_function_i[i]) selected_rdata = selected_rdata | rdata[i*32+:32];
  end

  assign cfg_rdata_o = selected_rdata;

endmodule
`default_nettype wire
