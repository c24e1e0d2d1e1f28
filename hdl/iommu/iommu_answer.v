`default_nettype none
// Completions that the IOMMU adapter makes itself: an error without data, the translation completion of an ATS translation request (one
// 8-byte entry, whatever number was asked for: a completer may return fewer), and zeros for a read or an atomic of a memory-resident
// interrupt file. Zeros of a read are split at 128-byte boundaries, which fits every Max_Payload_Size and both read completion
// boundaries of a root complex (PCIe Base, completion rules; ATS, Translation Completion). Registered; an answer of one beat is shown
// 1 cycle after its request, one answer per cycle; a split read takes the cycles of its beats.
module iommu_answer #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Non-posted request to answer: header as it arrived; status; with status SC: 1 = translation completion with this entry
    // (bit 63 first on the wire), 0 = zeros. The ID of the completer.
    input  wire               request_valid_i,
    output wire               request_ready_o,
    input  wire [127:0]       request_hdr_i,
    input  wire [2:0]         request_status_i,
    input  wire               request_translation_i,
    input  wire [63:0]        request_entry_i,
    input  wire [15:0]        completer_id_i,

    // Completion stream.
    output wire               completion_valid_o,
    input  wire               completion_ready_i,
    output wire               completion_sop_o,
    output wire               completion_eop_o,
    output wire [DATA_W-1:0]  completion_data_o,
    output wire [EMPTY_W-1:0] completion_empty_o,
    output wire [127:0]       completion_hdr_o
);

  localparam int BEAT_DWORDS = DATA_W / 32;
  localparam int PIECE_DWORDS = 32;
  localparam [5:0] FULL_BEAT = 6'(BEAT_DWORDS);

  // The answer: fields that all of its completions share; DWs that are left after this piece; DWs of this piece left on the link.
  logic         valid_d, valid_q;
  logic         first_d, first_q;
  logic [127:0] request_q;
  logic [2:0]   status_q;
  logic         data_q;
  logic [63:0]  entry_q;
  logic [10:0]  left_d, left_q;
  logic [5:0]   piece_d, piece_q, beat_d, beat_q;
  logic [11:0]  count_d, count_q;
  logic [6:0]   lower_d, lower_q;

  // Request: DWs of its data (0 without data), of its first piece.
  wire is_read = !request_hdr_i[126];
  wire with_data = request_status_i == tlp_pkg::STATUS_SC;
  wire compare_swap = request_hdr_i[124:120] == 5'b01110;
  wire [10:0] asked = {request_hdr_i[105:96] == 10'd0, request_hdr_i[105:96]};
  wire [10:0] dwords = !with_data ? 11'd0 : request_translation_i ? 11'd2 : compare_swap ? {1'b0, asked[10:1]} : asked;
  wire [6:0]  lower = request_translation_i ? 7'd0 : tlp_pkg::completion_lower_address(request_hdr_i);
  wire [5:0]  room = 6'(PIECE_DWORDS) - (is_read ? {1'b0, lower[6:2]} : 6'd0);
  wire [5:0]  first_piece = dwords > {5'd0, room} ? room : dwords[5:0];

  // What follows the piece on the link.
  wire [5:0]  next_piece = left_q > 11'(PIECE_DWORDS) ? 6'(PIECE_DWORDS) : left_q[5:0];
  wire        eop = beat_q <= FULL_BEAT;
  wire        last = eop && left_q == 11'd0;
  wire        move = valid_q && completion_ready_i;
  wire        load = !valid_q || (move && last);

  always_comb begin
    valid_d = valid_q;
    first_d = first_q;
    left_d = left_q;
    piece_d = piece_q;
    beat_d = beat_q;
    count_d = count_q;
    lower_d = lower_q;
    if (move && !eop) begin
      first_d = 1'b0;
      beat_d = beat_q - FULL_BEAT;
    end else if (move) begin
      // Every piece but the first begins at a boundary, so that only the first has disabled bytes in front.
      first_d = 1'b1;
      left_d = left_q - {5'd0, next_piece};
      piece_d = next_piece;
      beat_d = next_piece;
      count_d = count_q - {4'd0, piece_q, 2'b00} + {10'd0, lower_q[1:0]};
      lower_d = 7'd0;
    end
    if (load) begin
      valid_d = request_valid_i;
      first_d = 1'b1;
      left_d = dwords - {5'd0, first_piece};
      piece_d = first_piece;
      beat_d = first_piece;
      count_d = request_translation_i && with_data ? 12'd8 : tlp_pkg::completion_byte_count(request_hdr_i);
      lower_d = lower;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      request_q <= request_hdr_i;
      status_q <= request_status_i;
      data_q <= with_data;
      entry_q <= with_data && request_translation_i ? request_entry_i : 64'd0;
    end
    valid_q <= valid_d;
    first_q <= first_d;
    left_q <= left_d;
    piece_q <= piece_d;
    beat_q <= beat_d;
    count_q <= count_d;
    lower_q <= lower_d;
    if (rst_i) valid_q <= 1'b0;
  end

  // Address, byte enables, AT, PH and reserved bits of the request do not reach a completion.
  wire unused_request = &{1'b0, request_q};
  wire locked = request_q[124:120] == 5'b00001;

  assign request_ready_o = load;
  assign completion_valid_o = valid_q;
  assign completion_sop_o = first_q;
  assign completion_eop_o = eop;
  assign completion_data_o = DATA_W'({tlp_pkg::reversed_dword(entry_q[31:0]), tlp_pkg::reversed_dword(entry_q[63:32])});
  assign completion_empty_o = data_q && eop ? EMPTY_W'(FULL_BEAT - beat_q) : '0;
  assign completion_hdr_o = {
    1'b0, data_q, 1'b0, 4'b0101, locked,  // Fmt and Type
    request_q[119:115],  // T9, TC, T8
    5'd0,  // IDO, LN, TH, TD, EP
    request_q[109:108],  // RO, NS
    2'b00, 4'd0, piece_q,  // AT, Length
    completer_id_i, status_q, 1'b0, count_q,
    request_q[95:72], 1'b0, lower_q,
    32'd0
  };

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && request_valid_i)
      assert (tlp_pkg::tlp_class(request_hdr_i[127:120]) == tlp_pkg::CLASS_NONPOSTED)
      else $error("iommu_answer: only non-posted requests are completed");
  end
`endif

endmodule
`default_nettype wire
