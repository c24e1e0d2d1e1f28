`default_nettype none
// MSI-X table and pending bits (PCI Local Bus, MSI-X) of 2 to 32 vectors, and the messages they send.
// An event of a vector that is masked, or whose function is masked, waits in the pending bit and is sent when the mask goes. While
// MSI-X is disabled events are lost. Table and PBA answer 32-bit accesses in the same cycle.
module msix #(
  // Number of vectors, 2..32
  parameter int VECTORS = 8,
  // Derived: bits of a vector number
  parameter int VECTOR_W = $clog2(VECTORS)
) (
  input  wire                 clk_i,
  input  wire                 rst_i,

  // Message Control
  input  wire                 enable_i,
  input  wire                 function_mask_i,

  // Register access: table entry and DW in it; the pending bits
  input  wire                 table_write_i,
  input  wire  [VECTOR_W-1:0] write_vector_i,
  input  wire  [1:0]          write_dword_i,
  input  wire  [31:0]         wdata_i,
  input  wire  [3:0]          strobe_i,
  input  wire  [VECTOR_W-1:0] read_vector_i,
  input  wire  [1:0]          read_dword_i,
  output logic [31:0]         table_rdata_o,
  output logic [31:0]         pending_o,

  // Event of a vector
  input  wire                 event_valid_i,
  input  wire  [VECTOR_W-1:0] event_vector_i,

  // Message to write: one DW of data to an address
  output logic                message_valid_o,
  input  wire                 message_ready_i,
  output logic [63:0]         message_address_o,
  output logic [31:0]         message_data_o
);

  logic [31:0]        address_low [0:VECTORS-1];
  logic [31:0]        address_high [0:VECTORS-1];
  logic [31:0]        data [0:VECTORS-1];
  logic [VECTORS-1:0] mask_q;
  logic [VECTORS-1:0] pending_q;
  logic [VECTORS-1:0] ready_vectors;
  logic [VECTORS-1:0] event_onehot;
  logic [VECTORS-1:0] chosen_onehot;
  logic [VECTOR_W-1:0] chosen;
  logic               load;
  logic [31:0]        write_mask;

  always_comb begin
    write_mask = {{8{strobe_i[3]}}, {8{strobe_i[2]}}, {8{strobe_i[1]}}, {8{strobe_i[0]}}};
    ready_vectors = (enable_i && !function_mask_i) ? pending_q & ~mask_q : '0;
    chosen_onehot = ready_vectors & (~ready_vectors + 1'b1);
    chosen = '0;
    for (int i = 0; i < VECTORS; i++) if (chosen_onehot[i]) chosen = chosen | VECTOR_W'(i);
    load = ready_vectors != '0 && (!message_valid_o || message_ready_i);
    event_onehot = event_valid_i ? VECTORS'(1) << event_vector_i : '0;
    pending_o = 32'(pending_q);
    case (read_dword_i)
      2'd0: table_rdata_o = address_low[read_vector_i];
      2'd1: table_rdata_o = address_high[read_vector_i];
      2'd2: table_rdata_o = data[read_vector_i];
      default: table_rdata_o = {31'd0, mask_q[read_vector_i]};
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      message_address_o <= {address_high[chosen], address_low[chosen][31:2], 2'b00};
      message_data_o <= data[chosen];
    end
    if (rst_i) begin
      message_valid_o <= 1'b0;
      pending_q <= '0;
      mask_q <= '1;
      for (int i = 0; i < VECTORS; i++) begin
        address_low[i] <= 32'd0;
        address_high[i] <= 32'd0;
        data[i] <= 32'd0;
      end
    end else begin
      if (load) message_valid_o <= 1'b1;
      else if (message_ready_i) message_valid_o <= 1'b0;
      if (!enable_i) pending_q <= '0;
      else pending_q <= (pending_q & ~(load ? chosen_onehot : '0)) | event_onehot;
      if (table_write_i)
        case (write_dword_i)
          2'd0: address_low[write_vector_i] <= (address_low[write_vector_i] & ~write_mask) | (wdata_i & write_mask & ~32'd3);
          2'd1: address_high[write_vector_i] <= (address_high[write_vector_i] & ~write_mask) | (wdata_i & write_mask);
          2'd2: data[write_vector_i] <= (data[write_vector_i] & ~write_mask) | (wdata_i & write_mask);
          default: if (strobe_i[0]) mask_q[write_vector_i] <= wdata_i[0];
        endcase
    end
  end

  generate
    if (VECTORS < 2 || VECTORS > 32) begin : g_check_vectors
      initial $fatal(1, "msix: VECTORS must be 2..32");
    end
  endgenerate

endmodule
`default_nettype wire
